"""Authenticated handshakes that wait for their owner's word. Bounded in number and time."""

from chatnet_engine.secure.events import Authenticated
from chatnet_engine.secure.handshake import AuthenticatedHandshake, HalfOpen, Initiation
from chatnet_engine.secure.local import Local
from chatnet_protocol.errors import LocalProtocolError

Origin = Initiation | HalfOpen


class PendingHandshakes:
    """Proofs by attempt number."""

    def __init__(self, local: Local) -> None:
        self._local = local
        self._waiting: dict[int, tuple[AuthenticatedHandshake, Origin, float]] = {}
        self._last_attempt = 0

    def ask(
        self, proof: AuthenticatedHandshake, origin: Origin, hint: int | None, now: float
    ) -> None:
        """Put a proof before the owner."""
        local = self._local
        if any(held is origin for _, held, _ in self._waiting.values()):
            return
        if len(self._waiting) >= local.config.max_pending:
            local.counters.dropped_pending_full += 1
            return
        self._last_attempt += 1
        self._waiting[self._last_attempt] = (proof, origin, now)
        local.events.append(
            Authenticated(
                attempt=self._last_attempt,
                key=proof.key,
                incarnation=proof.identity.incarnation,
                port=proof.identity.port,
                addr=proof.addr,
                initiator=proof.initiator,
                peer_hint=hint,
                invite=proof.invite,
            )
        )

    def take(self, attempt: int) -> tuple[AuthenticatedHandshake, Origin]:
        """What the owner answers. Raises LocalProtocolError when it is not (or no longer) there."""
        try:
            proof, origin, _ = self._waiting.pop(attempt)
        except KeyError:
            raise LocalProtocolError(f"attempt {attempt} is not waiting for an answer") from None
        return proof, origin

    def handle_timeout(self, now: float) -> None:
        """Drop what was not answered."""
        life = self._local.config.pending_s
        for attempt in [a for a, (_, _, since) in self._waiting.items() if now >= since + life]:
            del self._waiting[attempt]
            self._local.counters.dropped_unanswered += 1

    def next_timeout(self) -> float:
        """Infinity if never."""
        oldest = next(iter(self._waiting.values()), None)  # it stands first
        return float("inf") if oldest is None else oldest[2] + self._local.config.pending_s
