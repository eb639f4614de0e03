"""One session: the two keys of one handshake, its replay window, and the three slots.

Slots of a peer, and what a session that both sides hold (`promote`) does to them:

    current                     the newcomer                              becomes
    none                        any                                       current
    of another link             started after it was made                 current, others erased
    of another link             started before (a delayed handshake)      erased
    same link                   any other                                 current, old → previous
    same link, won the tie *    the crossing handshake                    previous

    * both sides initiated, the newcomer began before the current was settled, and the current's
      initiator has the larger ephemeral key: both sides then prefer the same one.

A session ages from when it was made, but rests while both hold it and it has carried no content
(specification 3.2).

`link` is the pair of incarnations: packet numbers go on within it and start anew with another.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from chatnet_engine.deadlines import TICK_S, next_tick
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.replay import ReplayWindow
from chatnet_protocol.errors import DecodeError, LocalProtocolError
from chatnet_protocol.limits import (
    AEAD_TAG_BYTES,
    DATA_HEADER_BYTES,
    MAX_DATAGRAM_BYTES,
    MAX_PACKET_NUMBER,
)
from chatnet_protocol.wire import frames
from chatnet_protocol.wire.datagrams import DATA, DATA_HEADER

MAX_SEALED_BYTES: Final = MAX_DATAGRAM_BYTES - DATA_HEADER_BYTES - AEAD_TAG_BYTES
_ZERO4: Final = bytes(4)
_UPKEEP: Final = frozenset({frames.Ping, frames.Ack, frames.PathChallenge, frames.PathResponse})

Link = tuple[int, int]
"""(our incarnation, the other side's)."""


class Session:
    """Keys of one handshake.

    `index` is ours (what the peer puts into DATA), `remote_index` the peer's. `ephemeral` is the
    initiator's public one; `fin` the datagram that ended the handshake; `psk`: it ran under the
    secret of an invite; `started`: when it began here; `settled`: when both sides were known to
    hold it (infinity before).
    """

    __slots__ = (
        "_last_sealed",
        "_open",
        "_rested_s",
        "_seal",
        "born",
        "carried",
        "ephemeral",
        "fin",
        "hash",
        "index",
        "initiator",
        "key",
        "link",
        "peer",
        "psk",
        "remote_index",
        "settled",
        "started",
        "window",
    )

    def __init__(
        self,
        *,
        peer: int,
        key: bytes,
        link: Link,
        index: int,
        remote_index: int,
        keys: tuple[bytes, bytes],
        initiator: bool,
        ephemeral: bytes,
        handshake_hash: bytes,
        fin: bytes,
        psk: bool,
        started: float,
        now: float,
    ) -> None:
        self.peer = peer
        self.key = key
        self.link = link
        self.index = index
        self.remote_index = remote_index
        self.initiator = initiator
        self.ephemeral = ephemeral
        self.hash = handshake_hash
        self.fin = fin
        self.psk = psk
        self.started = started
        self.born = now
        self.settled = float("inf")
        self.window = ReplayWindow()
        self.carried = False
        """Content has passed under its keys, or another session has taken over."""
        self._rested_s = 0.0
        self._last_sealed = -1
        self._seal = ChaCha20Poly1305(keys[0]).encrypt
        self._open = ChaCha20Poly1305(keys[1]).decrypt

    def seal(self, number: int, payload: bytes) -> bytes:
        """The DATA datagram for a packet number.

        Raises LocalProtocolError for a number not above all sealed before (a nonce must never
        repeat), a number beyond the limit, or a payload that fits no datagram.
        """
        return self.seal_all(((number, payload),))[0]

    def seal_all(self, packets: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """`seal` for several packets (number, payload)."""
        last, remote_index, encrypt = self._last_sealed, self.remote_index, self._seal
        sealed = []
        for number, payload in packets:
            if not last < number < MAX_PACKET_NUMBER:
                raise LocalProtocolError(f"packet number {number} is used up")
            if len(payload) > MAX_SEALED_BYTES:
                raise LocalProtocolError(f"{len(payload)} bytes do not fit a datagram")
            self._last_sealed = last = number
            header = DATA_HEADER.pack(DATA, remote_index, number)
            sealed.append(header + encrypt(_ZERO4 + header[8:], payload, header))
        return sealed

    def seal_control(self, number: int, payload: bytes) -> bytes:
        """A DATA datagram with a reserved number, for one fixed payload a number."""
        header = DATA_HEADER.pack(DATA, self.remote_index, number)
        return header + self._seal(_ZERO4 + header[8:], payload, header)

    def carry(self, payloads: Iterable[bytes], config: SecureConfig, now: float) -> bool:
        """These pass under its keys. True for the first content among them: it ages from now on."""
        if self.carried or all(map(is_upkeep, payloads)):
            return False
        self.wake(config, now)
        return True

    def wake(self, config: SecureConfig, now: float) -> None:
        """It ages from now on: content, or a session that takes its place."""
        if not self.carried:
            self.carried = True
            rested_s = max(now - self.born - config.rest_from_s, 0.0)
            self._rested_s = min(rested_s, self._rested_s)

    def settle(self, config: SecureConfig, now: float) -> None:
        """Both sides are known to hold it."""
        self.settled = now
        self._rested_s = 0.0 if self.carried else config.rest_s

    def rekey_at(self, config: SecureConfig) -> float:
        """When this side starts the next session: at a tick, and earlier by what the handshake
        drew for both sides, so that the re-keys of links that came up together spread."""
        after = config.rekey_after_s if self.initiator else config.rekey_responder_after_s
        earlier = TICK_S + config.rekey_spread_s * self.hash[0] / 256
        return next_tick(self.born + self._rested_s + after - earlier)

    def ends_at(self, config: SecureConfig) -> float:
        """When it neither seals nor opens any more, and its keys are erased."""
        return self.born + self._rested_s + config.reject_after_s

    def open(self, data: bytes) -> bytes | None:
        """The payload of a DATA datagram; None when it is not authentic.

        Does not touch the replay window: the caller asks `window` before and marks it after.
        """
        header = data[:16]
        try:
            return self._open(_ZERO4 + header[8:], data[16:], header)
        except InvalidTag:
            return None


class Slots:
    """The sessions of one peer: next (initiated here, FIN not confirmed), current, previous."""

    __slots__ = ("current", "next", "previous")

    def __init__(self) -> None:
        self.next: Session | None = None
        self.current: Session | None = None
        self.previous: Session | None = None

    @property
    def sending(self) -> Session | None:
        """Where to seal: the confirmed session if there is one."""
        return self.current or self.next

    def all(self) -> list[Session]:
        """The filled slots."""
        return [s for s in (self.next, self.current, self.previous) if s is not None]

    @property
    def hashes(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """What names the handshake of each slot."""
        return (
            self.next.hash if self.next else None,
            self.current.hash if self.current else None,
            self.previous.hash if self.previous else None,
        )

    def is_stale(self, link: Link, started: float) -> bool:
        """Whether a handshake of `link` began before a session of another one was made.

        Its other end may be long gone. If not, it comes again, with a handshake begun later.
        """
        return any(s.link != link and started < s.born for s in self.all())

    def put_next(self, session: Session) -> list[Session]:
        """A session we initiated and accepted. Returns what it displaced."""
        displaced = [] if self.next is None else [self.next]
        self.next = session
        return displaced

    def promote(self, session: Session, config: SecureConfig, now: float) -> list[Session]:
        """`session` is held by both sides. Returns the sessions that are gone (see the table)."""
        before = self.all()
        if session is self.next:
            self.next = None
        current = self.current
        if self.is_stale(session.link, session.started):
            return [session]
        session.settle(config, now)
        if current is None or current.link != session.link:
            self.current, self.previous = session, None
            if self.next is not None and self.next.link != session.link:
                self.next = None
        elif _won_tie(current, session):
            self.previous = session
        else:
            self.previous, self.current = current, session
        if self.previous is not None:
            self.previous.wake(config, now)
        kept = self.all()
        return [old for old in before if old not in kept]

    def take_expired(self, config: SecureConfig, now: float) -> list[Session]:
        """Those that are too old; they are in no slot any more."""
        expired = [session for session in self.all() if now >= session.ends_at(config)]
        for session in expired:
            self.remove(session)
        return expired

    def remove(self, gone: Session) -> None:
        """Empty the slot that holds `gone`."""
        if self.next is gone:
            self.next = None
        elif self.current is gone:
            self.current = None
        elif self.previous is gone:
            self.previous = None


def is_upkeep(payload: bytes) -> bool:
    """Whether it says nothing but that the link lives: not worth protecting later."""
    try:
        return _UPKEEP.issuperset(map(type, frames.decode(payload)))
    except DecodeError:
        return False


def _won_tie(current: Session, newcomer: Session) -> bool:
    crossed = current.initiator != newcomer.initiator and newcomer.started <= current.settled
    return crossed and current.ephemeral > newcomer.ephemeral
