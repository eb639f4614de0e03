"""The two ends of one handshake: Initiation (sent INIT, reads RESP, writes FIN) and HalfOpen
(read INIT, sent RESP, reads FIN).

    initiator   RESP, authentic   a AuthenticatedHandshake; the attempt stays open until its owner
    accepts sent INIT   RESP, forged      nothing
                timer             INIT again; after 15 s with a new ephemeral key and index
    accepted    RESP              nothing: the index is a session's now
                timer             FIN again (peer.py)

    responder   INIT, same key    the same RESP again, to at most four addresses
    half open   INIT, other key   another half-open handshake (admission.py)
                FIN, authentic    a AuthenticatedHandshake; closed
                FIN, forged       nothing
                20 s              forgotten
    accepted    INIT, same key    nothing
                FIN, same bytes   CONFIRM again
    refused     INIT, same key    nothing
                FIN, same bytes   the refusal again, for 20 s

Owns ephemeral keys and transcripts. Does not decide whom to trust, when to send, or which session
wins: a AuthenticatedHandshake says who is there, and turns into a Session when its owner accepts.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.identity import Identity
from chatnet_engine.secure.noise import Handshake, NoiseError, Protocol
from chatnet_engine.secure.session import Link, Session
from chatnet_protocol.wire import datagrams
from chatnet_protocol.wire.datagrams import LinkIdentity, Mode

_PROTOCOLS: Final = {
    Mode.XX: Protocol("Noise_XX_25519_ChaChaPoly_SHA256"),
    Mode.XXPSK3: Protocol("Noise_XXpsk3_25519_ChaChaPoly_SHA256"),
}

MAX_RESP_ADDRS: Final = 4
"""Addresses that one INIT is answered to: its sender may reach us in several ways."""
MAX_COOKIES: Final = 16
"""Cookies one initiation acts on, over all its addresses."""


class AuthenticatedHandshake:
    """A finished reading of the other side's last word: its key, and what makes the session.

    `fin` is what to send (initiator) or what arrived (responder); `sent_at`: when what it answers
    left last.
    """

    __slots__ = (
        "addr",
        "fin",
        "handshake",
        "identity",
        "index",
        "initiator",
        "initiator_ephemeral",
        "invite",
        "local_incarnation",
        "psk",
        "remote_index",
        "sent_at",
        "started",
    )

    def __init__(
        self,
        *,
        handshake: Handshake,
        identity: LinkIdentity,
        local_incarnation: int,
        index: int,
        remote_index: int,
        initiator: bool,
        initiator_ephemeral: bytes,
        started: float,
        sent_at: float,
        addr: Addr,
        fin: bytes,
        psk: bool,
        invite: int | None,
    ) -> None:
        self.handshake = handshake
        self.identity = identity
        self.local_incarnation = local_incarnation
        self.index = index
        self.remote_index = remote_index
        self.initiator = initiator
        self.initiator_ephemeral = initiator_ephemeral
        self.started = started
        self.sent_at = sent_at
        self.addr = addr
        self.fin = fin
        self.psk = psk
        self.invite = invite

    @property
    def key(self) -> bytes:
        """The static key the other side proved."""
        key = self.handshake.remote_static
        return b"" if key is None else key

    @property
    def link(self) -> Link:
        """(our incarnation, theirs)."""
        return self.local_incarnation, self.identity.incarnation

    def finish(self, mode: int, own: LinkIdentity) -> None:
        """Initiator, accepted: write FIN."""
        noise = self.handshake.write(datagrams.encode_fin_identity(own))
        self.local_incarnation = own.incarnation
        self.fin = datagrams.encode_fin(self.remote_index, mode, noise)

    def session(self, peer: int, now: float) -> Session:
        """The session of the finished handshake, for `peer`."""
        return Session(
            peer=peer,
            key=self.key,
            link=self.link,
            index=self.index,
            remote_index=self.remote_index,
            keys=self.handshake.split(),
            initiator=self.initiator,
            ephemeral=self.initiator_ephemeral,
            handshake_hash=self.handshake.hash,
            fin=self.fin,
            psk=self.psk,
            started=self.started,
            now=now,
        )


class Initiation:
    """Our attempt to reach `peer`: one ephemeral key and index, sent to all its addresses."""

    def __init__(
        self,
        *,
        peer: int,
        identity: Identity,
        index: int,
        ephemeral: bytes,
        psk: bytes | None,
        now: float,
    ) -> None:
        self.peer = peer
        self.index = index
        self.started = now
        self.mode = Mode.XX if psk is None else Mode.XXPSK3
        self.cookies: dict[Addr, bytes] = {}
        self._cookies_left = MAX_COOKIES
        self.refused_keys: list[bytes] = []
        self.addrs: dict[Addr, tuple[float, float]] = {}
        """Where INIT went, when first and when last: a RESP from there proves the address."""
        self._handshake = Handshake(
            _PROTOCOLS[self.mode],
            initiator=True,
            prologue=datagrams.prologue(self.mode, index),
            ephemeral=X25519PrivateKey.from_private_bytes(ephemeral),
            static=identity.private,
            psk=psk,
        )
        self._first_message = self._handshake.write()

    @property
    def ephemeral(self) -> bytes:
        """Our ephemeral public key: the larger one wins a simultaneous open."""
        return self._handshake.ephemeral_public

    def covered(self, addr: Addr) -> bytes:
        """The part of the INIT to `addr` that mac1 covers, with the cookie got from there."""
        cookie = self.cookies.get(addr, datagrams.NO_COOKIE)
        return datagrams.init_covered(self.index, self.mode, self._first_message, cookie)

    def take_cookie(self, addr: Addr, cookie: bytes) -> bool:
        """Keep a cookie; False when it brings nothing new or too many came (nobody proved it)."""
        if self.cookies.get(addr) == cookie or self._cookies_left == 0:
            return False
        self._cookies_left -= 1
        self.cookies[addr] = cookie
        return True

    def read_resp(self, answer: datagrams.Answer, addr: Addr) -> AuthenticatedHandshake:
        """Who answered. Raises DecodeError when it is forged or malformed.

        The attempt stays open, so that another may answer when this one is refused.
        """
        if answer.mode != self.mode:
            raise NoiseError("RESP of another mode")
        handshake = self._handshake.fork()
        identity = datagrams.decode_resp_identity(handshake.read(answer.noise))
        return AuthenticatedHandshake(
            handshake=handshake,
            identity=identity,
            local_incarnation=0,
            index=self.index,
            remote_index=identity.index,
            initiator=True,
            initiator_ephemeral=self.ephemeral,
            started=self.started,
            sent_at=self.addrs.get(addr, (self.started, self.started))[1],
            addr=addr,
            fin=b"",
            psk=self.mode == Mode.XXPSK3,
            invite=None,
        )


class HalfOpen:
    """An INIT we answered with `resp`; nothing is known yet of who sent it."""

    def __init__(
        self,
        *,
        init: datagrams.Init,
        addr: Addr,
        identity: Identity,
        own: LinkIdentity,
        ephemeral: bytes,
        known: bool,
        now: float,
    ) -> None:
        """`own.index` is the new receiver index. Raises NoiseError for an unusable INIT."""
        self.index = own.index
        self.addrs = [addr]
        """Where RESP went: a FIN from one of them proves that address."""
        self.known = known
        self.started = now
        self.answered_at = now
        """When RESP left last."""
        self.remote_index = init.index
        self.initiator_ephemeral = init.ephemeral
        self._mode = Mode(init.mode)
        self._incarnation = own.incarnation
        self._handshake = Handshake(
            _PROTOCOLS[self._mode],
            initiator=False,
            prologue=datagrams.prologue(init.mode, init.index),
            ephemeral=X25519PrivateKey.from_private_bytes(ephemeral),
            static=identity.private,
        )
        self._handshake.read(init.noise)
        noise = self._handshake.write(datagrams.encode_resp_identity(own))
        self.resp = datagrams.encode_resp(init.index, init.mode, noise)

    def read_fin(
        self, answer: datagrams.Answer, data: bytes, addr: Addr, invites: Mapping[int, bytes]
    ) -> AuthenticatedHandshake:
        """Who is there. Raises DecodeError when it is forged or malformed; nothing changes then."""
        if answer.mode != self._mode:
            raise NoiseError("FIN of another mode")
        handshake = self._handshake.fork()
        invite: int | None = None
        if self._mode == Mode.XXPSK3:
            invite, payload = _read_with_invites(handshake, answer.noise, invites)
        else:
            payload = handshake.read(answer.noise)
        identity = datagrams.decode_fin_identity(payload)
        return AuthenticatedHandshake(
            handshake=handshake,
            identity=identity,
            local_incarnation=self._incarnation,
            index=self.index,
            remote_index=self.remote_index,
            initiator=False,
            initiator_ephemeral=self.initiator_ephemeral,
            started=self.started,
            sent_at=self.answered_at,
            addr=addr,
            fin=data,
            psk=invite is not None,
            invite=invite,
        )

    def answers(self, addr: Addr, now: float) -> bool:
        """Whether RESP (also) goes to `addr` now, where a duplicate of the INIT came from."""
        if addr not in self.addrs:
            if len(self.addrs) >= MAX_RESP_ADDRS:
                return False
            self.addrs.append(addr)
        self.answered_at = now
        return True


def _read_with_invites(
    handshake: Handshake, noise: bytes, invites: Mapping[int, bytes]
) -> tuple[int, bytes]:
    for invite, psk in invites.items():
        try:
            return invite, handshake.read(noise, psk)
        except NoiseError:
            continue
    raise NoiseError("FIN under no known invite")
