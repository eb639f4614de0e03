"""What a peer with a right key may send: well-formed things at the wrong time, and broken ones.

Everything comes from the `Random` that is passed in, so a seed replays it:

    grammar = Grammar(Random(7), Known())       # one per link; `known` is what was seen of it
    act = grammar.next_act()                    # Payload(frames as bytes) | Relink | Raw | Quiet
    grammar.payload()                           # only the bytes of one packet, padding left out

`PIECES` names each thing that can be said, its share, and whether an honest receiver must end
the link for it. `Grammar(..., violations=0.0)` leaves those out, `only=("part", …)` narrows the
choice. Whoever drives a link keeps `known` true; `hostile.peer.HostilePeer` does both.
"""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from random import Random

import msgspec

from chatnet_protocol import codec
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.rows import MessageKind
from chatnet_protocol.limits import (
    MAX_ACK_RANGES,
    MAX_DISPLAY_NAME_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_STATES,
)
from chatnet_protocol.wire import bulk, control, frames, messages, restoring

BIG = 2**62 - 1
MAX_PIECES = 100
WINDOW_MESSAGES = 1000
"""Own messages without a receipt before only old ones are said again: an honest window's worth."""
TIMES_MS = (0, 1_700_000_000_000, messages.MAX_WALL_MS)
NAMES = ("a.txt", "..", "/", "", "\0", "CON", "x" * 200, "\u202egpj.exe", "a/b", "-rf")
_STREAM = b"8 octets"
"""Handle of the bulk stream that it asks for."""
SIZES = (0, 1, 1000, 2**20, 2**40, 2**53)


@dataclass(slots=True)
class Known:
    """What its driver has seen of one link; a new link begins with a new one."""

    packets: deque[int] = field(default_factory=lambda: deque(maxlen=64))
    """Numbers of the victim's newest packets."""
    highest_packet: int = -1
    sent: dict[int, int] = field(default_factory=dict)
    """By channel: the victim's highest message that came whole."""
    next_number: dict[int, int] = field(default_factory=dict)
    """By channel: the number of our next message; 1 where nothing was said."""
    receipted: dict[int, int] = field(default_factory=dict)
    """By channel: our messages that the victim is done with."""
    ids: deque[bytes] = field(default_factory=lambda: deque(maxlen=64))
    """Of our own messages."""
    offered: deque[bytes] = field(default_factory=lambda: deque(maxlen=64))
    """Transfers that we began."""
    offers: deque[bytes] = field(default_factory=lambda: deque(maxlen=64))
    """Transfers that the victim began."""
    wants: deque[int] = field(default_factory=lambda: deque([1], maxlen=8))
    """Names of restores, ours and theirs."""
    tokens: deque[bytes] = field(default_factory=lambda: deque(maxlen=4))
    """Of path challenges that came."""
    lamport: int = 0


@dataclass(frozen=True, slots=True)
class Payload:
    """Seal these frames in the next packet."""

    frames: bytes


@dataclass(frozen=True, slots=True)
class Relink:
    """Begin a new link at once; `same`: under the incarnation of the last one; `goodbye`: after a
    CLOSE, else without a word."""

    same: bool
    goodbye: bool


@dataclass(frozen=True, slots=True)
class Raw:
    """Not sealed: bytes for the socket, or an earlier datagram again with bytes changed."""

    data: bytes
    again: bool


@dataclass(frozen=True, slots=True)
class Quiet:
    """Say nothing for so long, and answer nothing."""

    seconds: float


Act = Payload | Relink | Raw | Quiet


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing to say: its share among all, and whether it breaks the specification."""

    make: Callable[["Grammar"], bytes]
    share: int
    breaks: bool = False


class Grammar:
    """Draws what comes next on one link."""

    def __init__(
        self,
        random: Random,
        known: Known,
        *,
        violations: float = 0.001,
        relinks: float = 0.0005,
        mean_bytes: int = 250,
        only: Collection[str] = (),
    ) -> None:
        """`violations` and `relinks`: shares of all packets. `mean_bytes`: of a payload."""
        self.random = random
        self.known = known
        self._violations = violations
        self._relinks = relinks
        self._mean_bytes = mean_bytes
        pieces = {name: piece for name, piece in PIECES.items() if not only or name in only}
        self._right = [piece for piece in pieces.values() if not piece.breaks]
        self._wrong = [piece for piece in pieces.values() if piece.breaks]
        self._shares = [piece.share for piece in self._right]
        self._kept = b""
        """What did not fit in the last packet."""

    def next_act(self) -> Act:
        """Mostly a packet; now and then a new link, noise, or silence."""
        draw = self.random.random()
        if draw < self._relinks:
            return Relink(self.random.random() < 0.5, self.random.random() < 0.5)
        if draw < 2 * self._relinks:
            return Quiet(self.random.choice((0.01, 0.1, 1.0)))
        if draw < 0.02:
            size = self.random.choice((0, 1, 8, 24, 32, 82, 118, 160, 1200, 1472))
            return Raw(self.random.randbytes(size), self.random.random() < 0.8)
        return Payload(self.payload())

    def payload(self) -> bytes:
        """Frames for one packet, at most MAX_PAYLOAD_BYTES."""
        random = self.random
        wanted = min(int(random.expovariate(1 / self._mean_bytes)), MAX_PAYLOAD_BYTES)
        out = b""
        acked = False  # a packet holds one ACK at most
        if self._wrong and random.random() < self._violations:
            out = random.choice(self._wrong).make(self)
        for _ in range(MAX_PIECES):
            piece = self._kept or self._piece()
            if piece[0] == frames.ACK and acked:
                self._kept = b""
                continue
            if len(out) + len(piece) > MAX_PAYLOAD_BYTES:
                self._kept = piece
                break
            self._kept = b""
            acked = acked or piece[0] == frames.ACK
            out += piece
            if len(out) >= wanted:
                break
        return out

    def _piece(self) -> bytes:
        if not self._right:
            return frames.encode_ping()
        return self.random.choices(self._right, self._shares)[0].make(self)

    # --- helpers of the pieces ---

    def message_id(self) -> bytes:
        """New, or one that was seen."""
        known = self.known.ids
        if known and self.random.random() < 0.4:
            return self.random.choice(known)
        known.append(self.random.randbytes(16))
        return known[-1]

    def say(self, channel: int, body: bytes) -> bytes:
        """The next message of a channel, in one frame; an old one again when too many wait."""
        known = self.known
        number = known.next_number.get(channel, 1)
        if self.may_say(channel):
            known.next_number[channel] = number + 1
        else:
            number = max(1, known.receipted.get(channel, 0))
        return frames.encode_messages(channel, number, [body])

    def may_say(self, channel: int) -> bool:
        """Whether another new message fits the window."""
        known = self.known
        waiting = known.next_number.get(channel, 1) - known.receipted.get(channel, 0)
        return waiting <= WINDOW_MESSAGES

    def row(self) -> restoring.RestoredRow:
        """One message of a history that may never have been."""
        random = self.random
        kind, body = random.choice(((1, b"hi"), (1, b"x" * 300), (9, b"\xff")))
        return restoring.RestoredRow(
            random.random() < 0.5, kind, self.message_id(), random.choice((1, 2, 2**31)),
            random.choice(TIMES_MS), random.choice(TIMES_MS), random.choice((1, 2, 2**31)), body,
        )  # fmt: skip


def offer(grammar: Grammar) -> bytes:
    """The body of an offer with names that nobody should use."""
    random = grammar.random
    files = [
        OfferedFile(
            [random.choice(NAMES) for _ in range(random.choice((1, 1, 2)))],
            random.choice(SIZES),
            random.choice((0, 2**62)),
        )
        for _ in range(random.choice((1, 1, 2)))
    ]
    return encode_offer(Offer(files))


def _message(grammar: Grammar, kind: int, body: bytes) -> bytes:
    known, random = grammar.known, grammar.random
    known.lamport += random.choice((0, 1, 1, 1, 1000))
    if kind == MessageKind.OFFER:
        message_id = random.randbytes(16)
        known.offered.append(message_id)
    else:
        message_id = grammar.message_id()
    answers = random.choice((b"", b"", message_id, bytes(16), random.randbytes(16)))
    lamport, sent_ms = max(known.lamport, 1), random.choice(TIMES_MS)
    return messages.encode_message(
        messages.Message(kind, message_id, lamport, sent_ms, body, answers)
    )


def _text(grammar: Grammar) -> bytes:
    body = grammar.random.choice((b"hey", b"\x1b[31m", "\u202e".encode(), b"x" * 200))
    return grammar.say(0, _message(grammar, 1, body))


def _text_in_parts(grammar: Grammar) -> bytes:
    """Its second half first."""
    whole = _message(grammar, 1, b"long " * 100)
    known = grammar.known
    if not grammar.may_say(0):
        return _text(grammar)
    number = known.next_number.get(0, 1)
    known.next_number[0] = number + 1
    half = len(whole) // 2
    last = frames.encode_message(0, number, half, len(whole), whole[half:])
    return last + frames.encode_message(0, number, 0, len(whole), whole[:half])


def _offer(grammar: Grammar) -> bytes:
    return grammar.say(0, _message(grammar, 2, offer(grammar)))


def _unknown_kind(grammar: Grammar) -> bytes:
    return grammar.say(0, _message(grammar, grammar.random.randrange(3, 256), b"\xff"))


def _control(grammar: Grammar) -> bytes:
    """What the sender of files may say of our offers, the receiver of the victim's; all of any."""
    known, random = grammar.known, grammar.random
    stranger = random.randbytes(16)
    transfer = random.choice([*known.offered, *known.offers, stranger])
    said: list[control.Control] = [
        control.Listen(
            transfer,
            random.randbytes(control.HANDLE_BYTES),
            random.randbytes(control.TOKEN_BYTES),
            random.choice((1, 9, 65535)),
            random.choice(list(control.Suite)),
        ),
        control.TransferStatus(
            transfer,
            random.random() < 0.5,
            random.choice(("", "queued", "comparing", "?" * control.MAX_CODE_BYTES)),
        ),
        control.End(transfer, random.choice((0, *control.EndCode, 99, 2**40))),
    ]
    if transfer not in known.offered:
        said += [control.Accept(transfer), control.DialBack(transfer), control.Done(transfer)]
        handle = random.choice((_STREAM, random.randbytes(control.HANDLE_BYTES)))
        token, suite = random.randbytes(control.TOKEN_BYTES), random.choice(list(control.Suite))
        said += [control.LinkStream(transfer, handle, token, suite)]
    if transfer not in known.offers:
        said += [control.Unreachable(transfer), control.TcpOpen(transfer)]
    body = control.encode_control(random.choice(said))
    return grammar.say(messages.CHANNEL_CONTROL, body)


def _bulk(grammar: Grammar) -> bytes:
    """Within the windows; that room is given for nothing is a violation where the stream is."""
    random = grammar.random
    handle = random.choice((_STREAM, random.randbytes(control.HANDLE_BYTES)))
    said: bulk.BulkMessage = random.choice(
        (bulk.BulkData(handle, random.randbytes(random.randrange(1, 300))), bulk.BulkEnd(handle))
    )
    return grammar.say(messages.CHANNEL_BULK, bulk.encode_bulk(said))


def _restore(grammar: Grammar) -> bytes:
    random = grammar.random
    want = random.choice(grammar.known.wants)
    place = random.choice((0, 1, 5, 2**62))
    place_id = random.randbytes(16) if place else b""
    said: restoring.Restoring = random.choice(
        (
            restoring.RestoreAsk(want, place, place_id),
            restoring.RestoreRefuse(want),
            restoring.RestoreStop(want),
        )
    )
    return grammar.say(messages.CHANNEL_RESTORE, restoring.encode_restoring(said))


def _page(grammar: Grammar) -> bytes:
    """A page of a history; of another wish than theirs it is ignored, else it was not asked for."""
    random = grammar.random
    rows = [grammar.row() for _ in range(random.randrange(3))]
    page = restoring.RestorePage(random.randrange(1, 2**62), 0, 7, bytes(16), True, rows)
    return grammar.say(messages.CHANNEL_RESTORE, restoring.encode_restoring(page))


def _ahead(grammar: Grammar) -> bytes:
    """Messages with a hole before them, which is filled later or never."""
    known, random = grammar.known, grammar.random
    number = known.next_number.get(0, 1) + random.choice((1, 2, 50))
    return frames.encode_messages(0, number, [_message(grammar, 1, b"early")])


def _again(grammar: Grammar) -> bytes:
    number = max(1, grammar.known.next_number.get(0, 1) - grammar.random.randrange(1, 60))
    return frames.encode_messages(0, number, [_message(grammar, 1, b"otherwise")])


def _part(grammar: Grammar) -> bytes:
    """One byte or a few of a long message that never becomes whole."""
    known, random = grammar.known, grammar.random
    number = known.next_number.get(15, 1) + random.randrange(8)
    data = random.randbytes(random.choice((1, 2, 100)))
    return frames.encode_message(15, number, random.randrange(60_000), MAX_MESSAGE_BYTES, data)


def _typing(grammar: Grammar) -> bytes:
    value = messages.encode_state(messages.Typing(grammar.random.random() < 0.5))
    revision = grammar.random.choice((1, 2, 1000, grammar.random.randrange(2**40)))
    return frames.encode_state(messages.STATE_TYPING, revision, value)


def _marks(grammar: Grammar) -> bytes:
    most = grammar.random.choice((0, 1, 50, 2**31))
    value = messages.encode_state(messages.Marks(most, grammar.random.randrange(most + 1)))
    return frames.encode_state(messages.STATE_MARKS, grammar.random.randrange(2**40), value)


def _line(grammar: Grammar) -> bytes:
    value = messages.encode_state(messages.Line(grammar.random.choice((0, 1, 500, 1000))))
    return frames.encode_state(messages.STATE_LINE, grammar.random.randrange(2**40), value)


def _name(grammar: Grammar) -> bytes:
    name = grammar.random.choice(("", "Mallory", "\u202egnp.exe", "x" * MAX_DISPLAY_NAME_BYTES))
    value = messages.encode_state(messages.DisplayName(name))
    return frames.encode_state(messages.STATE_NAME, grammar.random.randrange(2**40), value)


def _unknown_state(grammar: Grammar) -> bytes:
    key = grammar.random.randrange(messages.STATE_NAME + 1, MAX_STATES)
    value = grammar.random.randbytes(grammar.random.choice((0, 5, 256)))
    return frames.encode_state(key, grammar.random.randrange(2**40), value)


def _ack(grammar: Grammar) -> bytes:
    """Of some packets that did come, newest first, with every other one left out."""
    known, random = grammar.known, grammar.random
    if not known.packets:
        return frames.encode_ping()
    kept = sorted({n for n in known.packets if random.random() < 0.6} or {known.packets[-1]})
    ranges: list[tuple[int, int]] = []
    for number in reversed(kept):
        if ranges and ranges[-1][0] == number + 1:
            ranges[-1] = (number, ranges[-1][1])
        else:
            ranges.append((number, number))
    delay_us = random.choice((0, 1000, 2**50))
    return frames.encode_ack(delay_us, ranges[:MAX_ACK_RANGES])


def _receipt(grammar: Grammar) -> bytes:
    """Of what did come, with whatever ACK numbers."""
    most = grammar.known.sent.get(0, 0)
    if most == 0:
        return frames.encode_ping()
    number = grammar.random.choice((most, grammar.random.randrange(1, most + 1)))
    run = grammar.random.choice((0, 1, number))
    ack = max(run, grammar.random.choice((number, 1, 2**31)))
    return frames.encode_receipt(number, ack, run)


def _channel_receipt(grammar: Grammar) -> bytes:
    done = [(channel, number) for channel, number in grammar.known.sent.items() if channel]
    if not done:
        return frames.encode_ping()
    channel, number = grammar.random.choice(done)
    return frames.encode_channel_receipt(channel, grammar.random.randrange(number + 1))


def _challenge(grammar: Grammar) -> bytes:
    return frames.encode_path_challenge(grammar.random.randbytes(frames.PATH_TOKEN_BYTES))


def _response(grammar: Grammar) -> bytes:
    known = grammar.known.tokens
    fresh = grammar.random.randbytes(frames.PATH_TOKEN_BYTES)
    return frames.encode_path_response(grammar.random.choice([*known, fresh]))


def _ping(grammar: Grammar) -> bytes:
    return frames.encode_ping()


def _padding(grammar: Grammar) -> bytes:
    return bytes(grammar.random.choice((1, 15, 300))) + frames.encode_ping()


def _hello_again(grammar: Grammar) -> bytes:
    return hello("mallory")


def hello(name: str) -> bytes:
    """The HELLO frame of a peer that has nothing and says so."""
    said = messages.Hello(1, 0, 0, 0, 0, name, False)
    return frames.encode_hello(messages.encode_hello(said))


# --- what an honest receiver must end the link for ---


def _close(grammar: Grammar) -> bytes:
    """No violation, but the end of the link all the same."""
    reason = grammar.random.choice(("", "bye", "\x1b[2J" * 20))
    return frames.encode_close(grammar.random.choice((0, 1, 2, 3, 4, 5, 6, 99, BIG)), reason)


def _broken(grammar: Grammar) -> bytes:
    return bytes([grammar.random.randrange(12)]) + grammar.random.randbytes(20)


def _ack_of_nothing(grammar: Grammar) -> bytes:
    highest = grammar.known.highest_packet + grammar.random.choice((1000, 2**40))
    return frames.encode_ack(0, [(highest, highest)])


def _receipt_of_nothing(grammar: Grammar) -> bytes:
    return frames.encode_receipt(grammar.random.choice((2**20, 2**61)), 1, 0)


def _beyond_the_window(grammar: Grammar) -> bytes:
    return frames.encode_messages(grammar.random.randrange(16), 2**40, [b"far"])


def _other_hello(grammar: Grammar) -> bytes:
    return hello(f"mallory {grammar.random.randrange(10**6)}")


def _many_states(grammar: Grammar) -> bytes:
    first = grammar.random.randrange(100, 2**40)
    return b"".join(frames.encode_state(key, 1, b"") for key in range(first, first + 20))


def _many_parts(grammar: Grammar) -> bytes:
    """First parts of more long messages than a window holds."""
    channel = grammar.random.randrange(3, 16)
    return b"".join(
        frames.encode_message(channel, number, 0, MAX_MESSAGE_BYTES, b"x")
        for number in range(2, 60)
    )


def _two_totals(grammar: Grammar) -> bytes:
    part = frames.encode_message(14, 2, 0, 5000, b"x")
    return part + frames.encode_message(14, 2, 0, 5001, b"x")


def _many_acks(grammar: Grammar) -> bytes:
    return _ack(grammar) * 2


def _garbled_message(grammar: Grammar) -> bytes:
    """A message of the conversation, control or restore that cannot be decoded."""
    channel = grammar.random.randrange(3)
    return grammar.say(channel, codec.pack(["no", grammar.random.randrange(99)]))


def _odd_reference(grammar: Grammar) -> bytes:
    """A text, live or restored, that answers something that is no id."""
    random, row = grammar.random, grammar.row()
    wrong = random.randbytes(random.choice((1, 15, 17, 32, 300)))
    if random.random() < 0.7:
        known = max(grammar.known.lamport, 1)
        message = messages.Message(1, grammar.message_id(), known, 0, b"hey", wrong)
        return grammar.say(0, messages.encode_message(message))
    rows = [msgspec.structs.replace(row, reply_to=wrong)]
    page = restoring.RestorePage(random.randrange(1, 2**62), 0, 7, bytes(16), True, rows)
    return grammar.say(messages.CHANNEL_RESTORE, restoring.encode_restoring(page))


def _other_channel(grammar: Grammar) -> bytes:
    """A channel without a use."""
    return grammar.say(grammar.random.randrange(4, 16), grammar.random.randbytes(5))


def _page_not_asked_for(grammar: Grammar) -> bytes:
    want = grammar.random.choice(grammar.known.wants)
    page = restoring.RestorePage(want, 0, 7, bytes(16), True, [grammar.row()])
    return grammar.say(messages.CHANNEL_RESTORE, restoring.encode_restoring(page))


PIECES: dict[str, Piece] = {
    "text": Piece(_text, 12),
    "text_in_parts": Piece(_text_in_parts, 2),
    "offer": Piece(_offer, 3),
    "unknown_kind": Piece(_unknown_kind, 1),
    "control": Piece(_control, 12),
    "bulk": Piece(_bulk, 3),
    "restore": Piece(_restore, 3),
    "page": Piece(_page, 2),
    "ahead": Piece(_ahead, 2),
    "again": Piece(_again, 3),
    "part": Piece(_part, 4),
    "typing": Piece(_typing, 4),
    "marks": Piece(_marks, 4),
    "line": Piece(_line, 2),
    "name": Piece(_name, 2),
    "unknown_state": Piece(_unknown_state, 2),
    "ack": Piece(_ack, 6),
    "receipt": Piece(_receipt, 6),
    "channel_receipt": Piece(_channel_receipt, 3),
    "challenge": Piece(_challenge, 6),
    "response": Piece(_response, 3),
    "ping": Piece(_ping, 3),
    "padding": Piece(_padding, 1),
    "hello_again": Piece(_hello_again, 1),
    "close": Piece(_close, 1, breaks=True),
    "broken": Piece(_broken, 1, breaks=True),
    "ack_of_nothing": Piece(_ack_of_nothing, 1, breaks=True),
    "receipt_of_nothing": Piece(_receipt_of_nothing, 1, breaks=True),
    "beyond_the_window": Piece(_beyond_the_window, 1, breaks=True),
    "other_hello": Piece(_other_hello, 1, breaks=True),
    "many_states": Piece(_many_states, 1, breaks=True),
    "many_parts": Piece(_many_parts, 1, breaks=True),
    "two_totals": Piece(_two_totals, 1, breaks=True),
    "many_acks": Piece(_many_acks, 1, breaks=True),
    "garbled_message": Piece(_garbled_message, 1, breaks=True),
    "odd_reference": Piece(_odd_reference, 1, breaks=True),
    "other_channel": Piece(_other_channel, 1, breaks=True),
    "page_not_asked_for": Piece(_page_not_asked_for, 1, breaks=True),
}
