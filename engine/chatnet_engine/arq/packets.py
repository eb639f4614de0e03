"""What leaves, and what is remembered of it until it is acknowledged or given up.

Packets are never resent, content is: each source of content is told the fate of what it put in.
"""

from typing import Protocol, TypeAlias

from msgspec import Struct

Token: TypeAlias = tuple[int, ...]
"""A source's own note of what it put into a packet."""
Pulled: TypeAlias = tuple[bytes, Token]
"""An encoded frame and its token."""


class Source(Protocol):
    """A part of the sender that owns content of one kind."""

    def on_acked(self, token: Token) -> None:
        """The packet arrived."""

    def on_lost(self, token: Token, packet: int) -> None:
        """The packet with this number is believed lost: send the content again if it matters."""

    def on_probe(self, token: Token) -> None:
        """Nothing was heard for long: send the content again though it may be on the way."""


class Packet(Struct, frozen=True, gc=False):
    """One payload to seal and send. `number` is never used again."""

    number: int
    payload: bytes


class SentPacket(Struct):
    """An ack-eliciting packet on the way."""

    number: int
    sent_at: float
    size_bytes: int
    contents: list[tuple[Source, Token]]
