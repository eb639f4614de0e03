"""Invite codes to psks, in a thread: 0.1 s of scrypt, which lets the pump run meanwhile."""

from collections.abc import Callable

from chatnet_engine.io.worker import Worker
from chatnet_engine.node.effects import InviteStretched, StretchInvite
from chatnet_engine.secure.invite import invite_psk

STOP_TIMEOUT_S = 0.5


class Stretcher:
    """The thread starts with the first invite. The node bounds how many it asks at a time."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._worker: Worker[StretchInvite, InviteStretched] | None = None

    def ask(self, ask: StretchInvite) -> None:
        """Answered in the order of asking."""
        if self._worker is None:
            self._worker = Worker("invites", _Handler, self._ring)
        self._worker.ask(ask)

    def take_answers(self) -> list[InviteStretched]:
        """Psks that are ready."""
        return self._worker.take_answers() if self._worker else []

    def stop(self) -> None:
        """End the thread."""
        if self._worker:
            self._worker.stop(STOP_TIMEOUT_S)


class _Handler:
    def answer(self, request: StretchInvite) -> InviteStretched:
        return InviteStretched(request.peer, invite_psk(request.secret))

    def close(self) -> None:
        pass
