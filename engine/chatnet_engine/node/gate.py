"""Owns who is let in: judges every key that proved itself, and answers the secure endpoint.

What a verdict changes about peers waits here for whoever commits it; what people are told of it is
the business of the links.
"""

from collections.abc import Mapping, Sequence

from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import Addr
from chatnet_engine.node.peers import MAX_PENDING_PEERS, Meaning, Peers, Verdict
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_protocol.errors import CloseCode
from chatnet_protocol.wire.frames import encode_close


class Gate:
    """See the module."""

    def __init__(self, endpoint: Endpoint, peers: Peers) -> None:
        self._endpoint = endpoint
        self._peers = peers
        self._verdicts: list[tuple[Verdict, secure.Authenticated]] = []

    def answer(
        self,
        event: secure.Authenticated,
        typed: Mapping[int, Sequence[Addr]],
        shunned: set[int],
        now: Now,
    ) -> Verdict:
        """Accept or refuse a key.

        `typed`: the looked-up addresses of each typed peer; `shunned`: peers that are left alone.
        """
        hint = event.peer_hint
        if event.initiator and hint is not None and self._peers.get(hint):
            verdict = self._peers.judge_dialled(hint, event.key)
        else:
            verdict = self._peers.judge_caller(event.key, event.addr, event.port, typed)
        match verdict.meaning:
            case Meaning.KNOWN if verdict.peer in shunned:
                self._refuse(event, CloseCode.REFUSED, now)
            case Meaning.KNOWN | Meaning.PIN | Meaning.MERGE:
                self._endpoint.accept(event.attempt, verdict.peer, now.mono_s)
            case Meaning.STRANGER | Meaning.PENDING:
                self._refuse(event, CloseCode.PENDING, now)
            case Meaning.KEY_CHANGED | Meaning.OURSELVES:
                self._refuse(event, CloseCode.REFUSED, now)
        full = verdict.meaning is Meaning.STRANGER and self._peers.pending >= MAX_PENDING_PEERS
        if verdict.meaning is not Meaning.KNOWN and not full:
            self._verdicts.append((verdict, event))
        return verdict

    def take_verdicts(self) -> list[tuple[Verdict, secure.Authenticated]]:
        """Decisions about keys that change who the peers are."""
        out, self._verdicts = self._verdicts, []
        return out

    def _refuse(self, event: secure.Authenticated, code: CloseCode, now: Now) -> None:
        self._endpoint.refuse(event.attempt, encode_close(code, ""), now.mono_s)
