"""The Noise Protocol Framework (revision 34) on PyCA primitives: the part that ChatNet uses.

Patterns NN and XX with at most one psk modifier, 25519, ChaChaPoly or AESGCM, SHA256. Reading is
transactional: a message that does not authenticate leaves the handshake as it was. Randomness
is handed in: the ephemeral key is 32 bytes given by the caller.
"""

import hashlib
import hmac
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from chatnet_protocol.errors import DecodeError, LocalProtocolError

KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
MAX_MESSAGE_BYTES: Final = 65535

Aead = ChaCha20Poly1305 | AESGCM

_MESSAGES: Final = {
    "NN": (("e",), ("e", "ee")),
    "XX": (("e",), ("e", "ee", "s", "es"), ("s", "se")),
}
_CIPHERS: Final = ("ChaChaPoly", "AESGCM")
_LITTLE_NONCE: Final = struct.Struct("<4xQ")
_BIG_NONCE: Final = struct.Struct(">4xQ")


class NoiseError(DecodeError):
    """A handshake message or ciphertext is not authentic or malformed; nothing has changed."""


class Protocol:
    """A parsed protocol name: message tokens, cipher and whether a psk is used.

    `name` is e.g. "Noise_XXpsk3_25519_ChaChaPoly_SHA256". LocalProtocolError for other suites.
    """

    __slots__ = ("cipher", "messages", "name", "psk")

    def __init__(self, name: str) -> None:
        parts = name.split("_")
        pattern = parts[1] if len(parts) == 5 else ""
        base, modifier = pattern[:2], pattern[2:]
        if parts[2:3] != ["25519"] or parts[4:] != ["SHA256"] or base not in _MESSAGES:
            raise LocalProtocolError(f"Noise protocol {name!r} is not supported")
        if parts[3] not in _CIPHERS:
            raise LocalProtocolError(f"Noise cipher {parts[3]!r} is not supported")
        self.name = name
        self.cipher = parts[3]
        self.psk = modifier != ""
        self.messages = _with_psk(_MESSAGES[base], modifier)


class CipherState:
    """One direction's key and nonce (Noise section 5.1)."""

    __slots__ = ("_aead", "_nonce_format", "key", "number")

    def __init__(self, cipher: str, key: bytes) -> None:
        self.key = key
        self.number = 0
        chacha = cipher == "ChaChaPoly"
        self._aead: Aead = ChaCha20Poly1305(key) if chacha else AESGCM(key)
        self._nonce_format = _LITTLE_NONCE if chacha else _BIG_NONCE

    def encrypt(self, plain: bytes, ad: bytes = b"") -> bytes:
        """`plain` sealed under the next nonce."""
        sealed = self._aead.encrypt(self._nonce_format.pack(self.number), plain, ad)
        self.number += 1
        return sealed

    def decrypt(self, sealed: bytes, ad: bytes = b"") -> bytes:
        """Opens `sealed`; the nonce advances only when it is authentic. Raises NoiseError."""
        try:
            plain = self._aead.decrypt(self._nonce_format.pack(self.number), sealed, ad)
        except InvalidTag:
            raise NoiseError("not authentic") from None
        self.number += 1
        return plain


class _Transcript:
    """Noise's SymmetricState (section 5.2): chaining key, hash, cipher."""

    __slots__ = ("chain", "cipher", "cipher_name", "hash")

    def __init__(self, protocol: Protocol, prologue: bytes) -> None:
        name = protocol.name.encode()
        self.hash = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self.chain = self.hash
        self.cipher_name = protocol.cipher
        self.cipher: CipherState | None = None
        self.mix_hash(prologue)

    def copy(self) -> "_Transcript":
        twin = object.__new__(_Transcript)
        twin.chain, twin.hash, twin.cipher_name = self.chain, self.hash, self.cipher_name
        twin.cipher = None
        if self.cipher is not None:
            twin.cipher = CipherState(self.cipher_name, self.cipher.key)
            twin.cipher.number = self.cipher.number
        return twin

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        self.chain, key = _hkdf(self.chain, secret, 2)
        self.cipher = CipherState(self.cipher_name, key)

    def mix_key_and_hash(self, secret: bytes) -> None:
        self.chain, extra, key = _hkdf(self.chain, secret, 3)
        self.mix_hash(extra)
        self.cipher = CipherState(self.cipher_name, key)

    def encrypt_and_hash(self, plain: bytes) -> bytes:
        sealed = plain if self.cipher is None else self.cipher.encrypt(plain, self.hash)
        self.mix_hash(sealed)
        return sealed

    def decrypt_and_hash(self, sealed: bytes) -> bytes:
        plain = sealed if self.cipher is None else self.cipher.decrypt(sealed, self.hash)
        self.mix_hash(sealed)
        return plain


class Handshake:
    """One side of one handshake (Noise's HandshakeState, section 5.3).

    `ephemeral` and `static` are private keys; `psk` may be given late, with the read or write
    of the message that needs it.
    """

    def __init__(
        self,
        protocol: Protocol,
        *,
        initiator: bool,
        prologue: bytes,
        ephemeral: X25519PrivateKey,
        static: X25519PrivateKey | None = None,
        psk: bytes | None = None,
    ) -> None:
        self._protocol = protocol
        self._initiator = initiator
        self._transcript = _Transcript(protocol, prologue)
        self._ephemeral = ephemeral
        self._static = static
        self._psk = psk
        self._turn = 0
        self._remote_ephemeral: X25519PublicKey | None = None
        self.ephemeral_public = ephemeral.public_key().public_bytes_raw()
        self.remote_static: bytes | None = None
        """The other side's static public key, once a message that carries it was read."""

    def fork(self) -> "Handshake":
        """An independent copy: an answer read by it leaves this one open for another answer."""
        twin = object.__new__(Handshake)
        twin.__dict__.update(self.__dict__)
        twin._transcript = self._transcript.copy()
        return twin

    @property
    def finished(self) -> bool:
        """Whether the last message was written or read."""
        return self._turn == len(self._protocol.messages)

    @property
    def hash(self) -> bytes:
        """The handshake hash `h`; unique for the session once finished."""
        return self._transcript.hash

    def write(self, payload: bytes = b"") -> bytes:
        """The next handshake message with `payload`. LocalProtocolError when out of turn."""
        steps = self._steps(writing=True)
        transcript = self._transcript
        message = b""
        for step in steps:
            if step == "e":
                message += self.ephemeral_public
                transcript.mix_hash(self.ephemeral_public)
                if self._protocol.psk:
                    transcript.mix_key(self.ephemeral_public)
            elif step == "s":
                message += transcript.encrypt_and_hash(self._own_static_public())
            elif step == "psk":
                transcript.mix_key_and_hash(self._need_psk(self._psk))
            else:
                transcript.mix_key(self._exchange(step, self._remote_ephemeral, None))
        message += transcript.encrypt_and_hash(payload)
        self._turn += 1
        return message

    def read(self, message: bytes, psk: bytes | None = None) -> bytes:
        """The payload of the other side's next message.

        Raises NoiseError when it is not authentic, too short or too long; then nothing has
        changed and the genuine message can still be read.
        """
        steps = self._steps(writing=False)
        if len(message) > MAX_MESSAGE_BYTES:
            raise NoiseError("handshake message too long")
        transcript = self._transcript.copy()
        remote_ephemeral, remote_static = self._remote_ephemeral, self.remote_static
        at = 0
        for step in steps:
            if step == "e":
                public, at = _take(message, at, KEY_BYTES)
                remote_ephemeral = X25519PublicKey.from_public_bytes(public)
                transcript.mix_hash(public)
                if self._protocol.psk:
                    transcript.mix_key(public)
            elif step == "s":
                sealed, at = _take(message, at, KEY_BYTES + TAG_BYTES)  # it always follows "ee"
                remote_static = transcript.decrypt_and_hash(sealed)
            elif step == "psk":
                transcript.mix_key_and_hash(self._need_psk(psk or self._psk))
            else:
                transcript.mix_key(self._exchange(step, remote_ephemeral, remote_static))
        payload = transcript.decrypt_and_hash(message[at:])
        self._transcript = transcript
        self._remote_ephemeral, self.remote_static = remote_ephemeral, remote_static
        self._turn += 1
        return payload

    def split(self) -> tuple[bytes, bytes]:
        """(sending key, receiving key) after the last message (section 5.2, Split)."""
        if not self.finished:
            raise LocalProtocolError("split before the end of the handshake")
        first, second = _hkdf(self._transcript.chain, b"", 2)
        return (first, second) if self._initiator else (second, first)

    def _steps(self, writing: bool) -> tuple[str, ...]:
        own_turn = (self._turn % 2 == 0) == self._initiator
        if self.finished or own_turn != writing:
            raise LocalProtocolError("handshake message out of turn")
        return self._protocol.messages[self._turn]

    def _exchange(
        self, step: str, remote_ephemeral: X25519PublicKey | None, remote_static: bytes | None
    ) -> bytes:
        """The X25519 result of ee, es or se; an all-zero result is refused."""
        initiators, responders = step[0], step[1]
        own, theirs = (initiators, responders) if self._initiator else (responders, initiators)
        key = self._ephemeral if own == "e" else self._static
        if theirs == "e":
            public = remote_ephemeral
        else:
            raw = remote_static or self.remote_static
            public = None if raw is None else X25519PublicKey.from_public_bytes(raw)
        if key is None or public is None:
            raise LocalProtocolError(f"no key for step {step}")
        try:
            return key.exchange(public)
        except ValueError:
            raise NoiseError("public key of small order") from None

    def _own_static_public(self) -> bytes:
        if self._static is None:
            raise LocalProtocolError("no static key")
        return self._static.public_key().public_bytes_raw()

    def _need_psk(self, psk: bytes | None) -> bytes:
        if psk is None or len(psk) != KEY_BYTES:
            raise LocalProtocolError("no psk of 32 bytes")
        return psk


def _with_psk(messages: tuple[tuple[str, ...], ...], modifier: str) -> tuple[tuple[str, ...], ...]:
    """Section 9.4: psk0 goes to the front of the first message, pskN to the end of message N."""
    if not modifier:
        return messages
    out = list(messages)
    place = modifier.removeprefix("psk")
    if not place.isdigit() or int(place) > len(out):
        raise LocalProtocolError(f"Noise modifier {modifier!r} is not supported")
    if place == "0":
        out[0] = ("psk", *out[0])
    else:
        out[int(place) - 1] = (*out[int(place) - 1], "psk")
    return tuple(out)


def _hkdf(chain: bytes, secret: bytes, outputs: int) -> tuple[bytes, ...]:
    """Noise section 4.3."""
    temporary = hmac.digest(chain, secret, "sha256")
    results: list[bytes] = []
    block = b""
    for count in range(1, outputs + 1):
        block = hmac.digest(temporary, block + bytes((count,)), "sha256")
        results.append(block)
    return tuple(results)


def _take(message: bytes, at: int, length: int) -> tuple[bytes, int]:
    if len(message) < at + length:
        raise NoiseError("handshake message too short")
    return message[at : at + length], at + length
