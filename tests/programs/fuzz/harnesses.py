"""Each harness gives hostile bytes to one door of ChatNet and says what has to hold behind it.

A harness takes bytes and returns a short word for what happened: new words are interesting, and
their input is kept. It raises AssertionError, or lets escape whatever the code raises, when the
door does not hold.
"""

import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from chatnet_engine.addresses import Addr
from chatnet_engine.files.incoming import IncomingFiles
from chatnet_engine.files.listed_names import Receivable
from chatnet_engine.files.listing import ListingIndex
from chatnet_engine.files.names import inner_name, numbered, safe_name, shown
from chatnet_engine.files.records import Opener, Sealer, nonce_packer
from chatnet_engine.files.tree import LIMITED, MODERN
from chatnet_engine.io.zmtp import MAX_COMMAND_BYTES, Violation
from chatnet_engine.io.zmtp_pub import Subscriber
from chatnet_engine.io.zmtp_router import Requester
from chatnet_engine.node.people.known_peers import KnownPeers, parse_known_peers
from chatnet_engine.secure.invite import parse_invite
from chatnet_protocol.errors import CommandError, DecodeError, RemoteProtocolError
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc.offer import ListedThing, OfferedListing, decode_offer
from chatnet_protocol.ipc.session_files import decode_connection_file
from chatnet_protocol.ipc.view import View
from chatnet_protocol.limits import MAX_NAME_BYTES, MAX_REQUEST_BYTES
from chatnet_protocol.wire import bulk, control, file_records, frames, listing, messages, restoring
from chatnet_protocol.wire.listing import ListedFolder
from simworld.pair import B, Pair

STRANGER = ("10.66.6.6", 666)
PAIR_LIVES = 150
"""Inputs that one pair of engines takes before it is replaced."""
QUIET_S = 0.05
HEAP_LIMIT = 2_000
"""Things to do that one input may leave behind."""


class _Target:
    """Two engines that know each other, replaced now and then."""

    def __init__(self) -> None:
        self.left = 0
        self.pair: Pair | None = None

    def take(self) -> Pair:
        """A pair whose link is up, or was before the last input."""
        if self.pair is None or not self.left:
            self.pair = Pair(1)
            self.pair.run(2)
            self.left = PAIR_LIVES
        self.left -= 1
        return self.pair


@cache
def _target(name: str) -> _Target:
    return _Target()


def _alive(pair: Pair) -> str:
    """Both engines still serve their front ends; how the link stands."""
    before = len(pair.clock._heap)
    pair.run(QUIET_S)
    assert len(pair.clock._heap) < before + HEAP_LIMIT, "too much is left to do"
    for client in (pair.at_a, pair.at_b):
        assert client.engine.is_up, "the engine is down"
        assert client.view is not None, "a front end lost its engine"
    return pair.peer(pair.at_a).link.state


def datagram(data: bytes) -> str:
    """Anything, from a stranger and in the peer's name."""
    pair = _target("datagram").take()
    for source in (STRANGER, B):
        pair.a.node.handle_datagrams([(data, source)], pair.a.now)
        pair.a.turn()
    return f"{min(data[:1], bytes([8])).hex()} {_alive(pair)}"


def handshake(data: bytes) -> str:
    """Genuine handshake packets, each preceded by a copy with some bytes changed."""
    pair = Pair(int.from_bytes(data[:2], "big"))
    send = pair.network.send
    rest = list(data[2:80])

    def tampered(source: Addr, target: Addr, data: bytes) -> None:
        if rest and len(data) > 20:
            copy = bytearray(data)
            for _ in range(rest.pop(0) % 4):
                if len(rest) >= 2:
                    copy[(rest.pop(0) * 5) % len(copy)] ^= rest.pop(0) or 1
            send(source, target, bytes(copy))
        send(source, target, data)

    pair.network.send = tampered  # type: ignore[method-assign]
    pair.at_a.say("after all")
    pair.settle(60)
    return f"{pair.peer(pair.at_a).link.links}"


def inside_a_session(data: bytes) -> str:
    """Frames that the peer itself has sealed."""
    pair = _target("inside").take()
    node = pair.b.node
    session = node.links.sessions.get(1)
    if session is None:
        pair.run(70)
        return _alive(pair)
    connection = session.connection
    node.turn.due.touch(1)
    typing = messages.Typing(pair.clock.steps % 2 == 0)
    connection.set_state(messages.STATE_TYPING, messages.encode_state(typing))
    packets = connection.take_packets(pair.b.now.mono_s, 1)
    sealed = node.endpoint.seal(1, packets[0].number, data[:1100]) if packets else None
    if sealed:
        pair.a.node.handle_datagrams([(sealed[0], B)], pair.a.now)
        pair.a.turn()
    kinds = "broken"
    with suppress(DecodeError):
        kinds = " ".join(sorted({type(frame).__name__ for frame in frames.decode(data[:1100])}))
    return f"{kinds} {_alive(pair)}"


def application_message(data: bytes) -> str:
    """What the other channels and slots of a link carry, decoded."""
    out = []
    for decode in (
        frames.decode,
        messages.decode_message,
        messages.decode_hello,
        messages.decode_marks,
        messages.decode_name,
        messages.decode_typing,
        control.decode_control,
        restoring.decode_restoring,
        bulk.decode_bulk,
        decode_offer,
        listing.decode_page,
    ):
        try:
            decode(data)
            out.append(decode.__name__)
        except DecodeError:
            pass
    return " ".join(out)


def file_record(data: bytes) -> str:
    """Records of a file connection: garbage, then authentic ones with hostile bodies."""
    opener = Opener(ChaCha20Poly1305(bytes(32)), nonce_packer("ChaChaPoly"), InvalidTag)
    with suppress(DecodeError):
        opener.open_from(memoryview(data))
    opener = Opener(ChaCha20Poly1305(bytes(32)), nonce_packer("ChaChaPoly"), InvalidTag)
    sealer = Sealer(ChaCha20Poly1305(bytes(32)), nonce_packer("ChaChaPoly"))
    wire = b""
    rest = data
    while rest:
        size = 1 + rest[0] % 64
        kinds = list(file_records.RecordType)
        wire += sealer.seal(kinds[size % len(kinds)], rest[1:size])
        rest = rest[size:]
    files = IncomingFiles([10, 0, 300], file_records.Position(0, 0))
    out = []
    try:
        used = 1
        while used and wire:
            used, records = opener.open_from(memoryview(wire))
            wire = wire[used:]
            out += [str(files.handle(kind, body)) for kind, body in records]
    except (DecodeError, RemoteProtocolError) as error:
        out.append(str(error))
    return " ".join(out[-2:])


MAX_FUZZED_ROOTS = 8


class _Folders(ListingIndex):
    """Everything in a listing of which nothing is known."""

    def note(self, folder: ListedFolder) -> None:
        self.found = [*getattr(self, "found", []), folder]


def listing_file(data: bytes) -> str:
    """The list of a large offer, which says of itself what was offered: where everything goes."""

    def read(offset: int, size: int) -> bytes:
        return data[offset : offset + size]

    try:
        counted = _Folders(OfferedListing(bytes(32), len(data), []), read)
        folders: list[ListedFolder] = getattr(counted, "found", [])
        roots = [[one for one in folders if one.root == root] for root in range(MAX_FUZZED_ROOTS)]
        things = [_listed_thing(one) for one in roots if one]
        for disk in (MODERN, LIMITED):
            made = Receivable(OfferedListing(bytes(32), len(data), things), read)
            made.name(disk)
            paths = [
                (made.file(at)[0], tuple(made.path_in_folder(at))) for at in range(len(made.sizes))
            ]
            assert len(set(paths)) == len(paths), "two files have one name"
            inner = {part for thing, path in paths for part in path if things[thing].folders}
            assert not inner & {"", ".", ".."}, inner
            assert not any(set("/\0\r\n\x1b") & set(part) for part in inner), inner
    except DecodeError as error:
        return str(error)
    return f"{len(paths)} {len(things)}"


def _listed_thing(folders: list[ListedFolder]) -> ListedThing:
    files = [file for folder in folders for file in folder.files]
    path = folders[0].path
    name = path[0] if path else files[0].name
    made = {tuple(one.path[:depth]) for one in folders for depth in range(1, len(one.path) + 1)}
    return ListedThing(name, len(files), sum(file.size_bytes for file in files), len(made))


def file_name(data: bytes) -> str:
    """Names a peer gave: one component, safe on every file system and on screen."""
    raw = data.decode("latin-1") if data[:1] == b"\xff" else data.decode("utf-8", "replace")
    name = safe_name(raw)
    for strict in (False, True):
        inner = inner_name(raw, strict=strict)
        assert inner not in ("", ".", ".."), inner
        assert not set("/\0\r\n\x1b") & set(inner), inner
        assert len(inner.encode()) <= 255, inner
        assert inner_name(inner, strict=strict) == inner, "not the same when made safe again"
    for result in (name, numbered(name, 7)):
        size = len(result.encode())
        assert result not in ("", ".", ".."), result
        assert not set("/\\\0\r\n") & set(result), result
        assert 0 < size <= 255, result
        assert not result.startswith(("-", " ", "~")), result
        bad = [char for char in result if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")]
        assert not bad, result
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert safe_name(name) == name, "not the same when made safe again"
    assert not {chr(0), "\x1b", "\n"} & set(shown(raw)), shown(raw)
    return f"{name == raw} {len(name) // 50}"


def known_peers(data: bytes) -> str:
    """The file of that name, as somebody may have edited it."""
    try:
        lines = parse_known_peers(data)
    except (CommandError, DecodeError) as error:
        return type(error).__name__
    known = KnownPeers(lines)
    again = known.encode()
    assert KnownPeers(parse_known_peers(again)).encode() == again
    return f"{min(5, sum(not isinstance(line, str) for line in lines))}"


def ipc_frame(data: bytes) -> str:
    """A frame on the ROUTER socket."""
    pair = _target("ipc").take()
    answers: list[bytes] = []
    reply = pair.a.reply

    def heard(routing_id: bytes, frame: bytes) -> None:
        answers.append(frame) if routing_id == b"hostile" else reply(routing_id, frame)

    pair.a.reply = heard  # type: ignore[method-assign]
    for number in (1, 2):  # twice, as a client that retries
        pair.a.node.handle_request(b"hostile", [data] * (1 + (len(data) + number) % 2), pair.a.now)
        pair.a.turn()
    pair.run(0.01)
    stopped = not pair.a.is_up or bool(pair.a.node.front_ends.stopping)
    if stopped:
        _target("ipc").left = 0
    del pair.a.reply
    replies = [envelope.decode_reply(frame) for frame in answers]
    failures = {r.failure.code for r in replies if r.failure}
    results = {type(r.result).__name__ for r in replies if r.result is not None}
    if not stopped:
        _alive(pair)
    return " ".join(sorted(failures | results))


def local_bytes(data: bytes) -> str:
    """What comes on the local sockets, in pieces of a size that the first byte says."""
    size, out = 1 + data[:1].ljust(1)[0], []
    for peer in (Subscriber(), Requester()):
        taken = 0
        try:
            for start in range(1, len(data), size):
                peer.feed(data[start : start + size])
                while isinstance(peer, Requester) and not peer.is_starved:
                    taken += peer.take() is not None
        except Violation as violation:
            out.append(str(violation))
        assert peer.wire.held_bytes <= size + 9 + max(MAX_COMMAND_BYTES, MAX_REQUEST_BYTES)
        out.append(f"{peer.wire.is_ready} {min(2, taken)} {len(peer.wire.answers) > 2}")
    return " ".join(out)


def engine_frame(data: bytes) -> str:
    """What a front end reads: publications, replies, snapshots, gauges, the connection file."""
    out = []
    for decode in (
        envelope.decode_publication,
        envelope.decode_reply,
        envelope.decode_heartbeat,
        envelope.decode_gauges,
        lambda frame: View.from_parts([frame]),
        decode_connection_file,
    ):
        try:
            decode(data)
            out.append(getattr(decode, "__name__", ""))
        except DecodeError:
            pass
    return " ".join(out)


def invite(data: bytes) -> str:
    """An invite code that somebody typed."""
    try:
        return str(len(parse_invite(data.decode("utf-8", "replace"))))
    except DecodeError as error:
        return type(error).__name__


HARNESSES: dict[str, Callable[[bytes], str]] = {
    harness.__name__: harness
    for harness in (
        datagram, handshake, inside_a_session, application_message, file_record, file_name,
        listing_file,
        known_peers, ipc_frame, local_bytes, engine_frame, invite,
    )
}  # fmt: skip
