"""Words and JSON; what a peer wrote can neither move a cursor nor forge a line."""

import json
import re
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_cli import render
from chatnet_client.mirror import Progress
from chatnet_protocol.ipc.events import LinkChanged, MarksMoved, TypingChanged
from chatnet_protocol.ipc.offer import (
    LeftOut,
    ListedThing,
    Offer,
    OfferedFile,
    OfferedListing,
    encode_offer,
)
from chatnet_protocol.ipc.reasons import LinkReason, Reason, TransferReason, reason
from chatnet_protocol.ipc.rows import (
    Differences,
    LinkRow,
    LinkState,
    MessageRow,
    PeerRow,
    Renamed,
    TransferRow,
    TransferState,
)
from local_world import LocalWorld

HOSTILE = "\x1b[31m\x07\x9b\u202e\u2066\u2028\u2029\r\x7f\U000e0041"


@given(st.text())
def test_escaped_text_holds_nothing_a_terminal_obeys(text: str) -> None:
    shown = render.escape(text)
    assert all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Zl", "Zp") for c in shown)
    assert not re.search("[\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    assert not set(render.escape_line(text)) & {"\n", "\t"}


def test_escapes_are_visible_and_honest_text_is_untouched() -> None:
    assert render.escape(HOSTILE) == (
        "\\x1b[31m\\x07\\x9b\\u202e\\u2066\\u2028\\u2029\\x0d\\x7f\\U000e0041"
    )
    for text in ("naïve 日本語 עברית", "👩‍👩‍👧 🇩🇪", "a\tb\nc", "\\x1b"):
        assert render.escape(text) == text
    assert render.escape_line("a\nb\tc") == "a\\x0ab\\x09c"


def test_zero_width_characters_are_visible_where_nothing_needs_them() -> None:
    assert render.escape("a\u00adb\u200bc\u2060d\ufeffe\u200df\u200cg\U000e0041") == (
        "a\\xadb\\u200bc\\u2060d\\ufeffe\\u200df\\u200cg\\U000e0041"
    )
    for kept in (
        "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0645\u06cc\u200c\u062e\u0648",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "1\ufe0f\u20e3",
    ):  # fmt: skip
        assert render.escape(kept) == kept


def test_durations() -> None:
    assert [render.duration_words(s) for s in (-1, 8, 725, 4800)] == [
        "0:00", "0:08", "12:05", "1:20:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (PeerRow(1, "bob", "h", 1), "bob"),
        (PeerRow(1, "h:1", "h", 1, display_name="Bob\x1b"), "Bob\\x1b"),
        (PeerRow(1, "h:1", "h", 1), "h:1"),
        (PeerRow(3, "", "", 0, address="1.2.3.4:5"), "1.2.3.4:5"),
        (PeerRow(3, "", "", 0), "peer 3"),
    ],
)
def test_what_a_peer_is_called(row: PeerRow, name: str) -> None:
    assert render.peer_name(row) == name


def test_the_state_of_a_newer_engines_link_is_shown_as_it_is() -> None:
    peer = LocalWorld().peer()
    peer.link = msgspec.structs.replace(peer.link, state="sleeping\x1b", reason=None)
    assert render.link_words(peer) == "sleeping\\x1b"


def test_message_lines() -> None:
    world = LocalWorld()
    incoming = world.peer_sends(f"two\nlines{HOSTILE[:1]}")
    world.cut()
    own = world.send("mine")
    assert render.message_line(incoming, world.peer()) == (
        "22:30:00 bob: two\n    lines\\x1b  [ACK 1 · 10.0.0.1:5001]"
    )
    assert render.message_line(own, world.peer(), day=True) == "2023-11-14 22:30 me: mine  ·"
    world.announce(MarksMoved(1, 1, 0, 0, 0, 0))
    assert render.message_tail(own, world.peer()) == "✓"
    world.heal()
    world.until(lambda: world.peer().delivered_seq == 1)
    assert render.message_tail(world.peer().messages[-1], world.peer()) == "✓✓"
    world.peer_reads()
    assert render.message_tail(world.peer().messages[-1], world.peer()) == "✓✓ read"


def test_failed_offers_and_unknown_kinds() -> None:
    world = LocalWorld()
    body = encode_offer(Offer([OfferedFile(["a\x1b.bin"], 1500)]))
    row = MessageRow(1, b"i" * 16, False, 2, body, 0, 0, 0, 1, "", 1, 1)
    assert render.message_words(row) == "[file a\\x1b.bin, 1.5 kB · offer 1]"
    many = Offer([OfferedFile(["d", "a"], 1), OfferedFile(["b"], 2)])
    assert render.offer_words(many) == "d and 1 more, 2 files, 3 B"
    listing = OfferedListing(bytes(32), 9, [ListedThing("d", 20_000, 3, 1)])
    assert render.offer_words(Offer([], listing=listing)) == "d, folder, 20,000 files, 3 B"
    damaged = MessageRow(1, b"i" * 16, False, 2, b"\xc1", 0, 0, 0, 1, "", 1, 1)
    assert render.offer_of(damaged) is None
    assert "cannot show" in render.message_words(damaged)
    failed = MessageRow(1, b"i" * 16, True, 1, b"x", 0, 0, 1, 0, "", 1, 1, "too\nold")
    assert render.message_tail(failed, world.peer()) == "✗ too\\x0aold"


@pytest.mark.parametrize(
    ("state", "why", "words"),
    [
        (LinkState.UP, None, "connected"),
        (
            LinkState.DIALLING,
            None,
            "connecting: No answer from bob yet. Is ChatNet running there, and is its UDP port "
            "open?",
        ),
        (
            LinkState.REFUSED,
            reason(LinkReason.PEER_REFUSED, "odd\x1b {name}"),
            "refused: bob closed the connection: odd\\x1b {name}.",
        ),
    ],
)
def test_link_words(state: LinkState, why: Reason | None, words: str) -> None:
    view = LocalWorld().view
    view.apply(LinkChanged(LinkRow(1, state, 0, reason=why)))
    assert render.link_words(view.peers[0]) == words


@pytest.mark.parametrize(
    ("mine", "state", "more", "words"),
    [
        (False, "offered", {}, "7 ← f, 10 B: Offered: chatnet accept 7, or reject 7"),
        (True, "offered", {}, "7 → f, 10 B: Not answered yet"),
        (True, "active", {}, "7 → f, 10 B: Sending · 50% · 5 B/s · 0:01 left"),
        (False, "active", {}, "7 ← f, 10 B: Receiving · 50% · 5 B/s · 0:01 left"),
        (False, "done", {"path": "/in/f"}, "7 ← f, 10 B: Received and verified, /in/f"),
        (True, "paused", {"by": "peer"}, "7 → f, 10 B: Paused by bob"),
        (
            True,
            "failed",
            {"reason": reason(TransferReason.DISK_FULL, "/i\x1b")},
            "7 → f, 10 B: Failed: The disk is full: /i\\x1b has no space for the rest.",
        ),
        (
            False,
            "failed",
            {},
            "7 ← f, 10 B: Failed: no reason given; chatnet accept 7 downloads it again",
        ),
        (
            False,
            "failed",
            {"by": "restored"},
            "7 ← f, 10 B: The files are not here; chatnet accept 7 downloads it again",
        ),
        (True, "failed", {"by": "restored"}, "7 → f, 10 B: Sent before the loss"),
        (False, "cancelled", {"by": "me"}, "7 ← f, 10 B: Cancelled by you"),
        (
            True,
            "waiting",
            {"files": 3, "things": 3},
            "7 → f and 2 more, 3 files, 10 B: Waiting for the connection",
        ),
        (False, "done", {"kind": "folder"}, "7 ← f, folder, 1 file, 10 B: Received and verified"),
        (
            True,
            "done",
            {
                "kind": "folder",
                "files": 41,
                "differences": Differences(
                    2, [LeftOut("f/a\x1b", "link")], 1, [Renamed("f/b:", "b_")]
                ),
            },
            "7 → f, folder, 41 files, 10 B: Sent and verified · 2 left out: f/a\\x1b (a link) and 1"
            " more · 1 arrived under another name: f/b: (now b_)",
        ),
    ],
)
def test_transfer_lines(mine: bool, state: str, more: dict[str, object], words: str) -> None:
    fields = {"files": 1, "size_bytes": 10} | more
    row = TransferRow(b"i" * 16, 1, 7, mine, TransferState(state), "f", **fields)  # type: ignore[arg-type]
    assert render.transfer_line(row, Progress(5, 5.0), "bob") == words


def test_progress_of_an_empty_file() -> None:
    assert render.progress_words(Progress(0), 0) == "100%"


def test_progress_says_when_the_link_carries_the_bytes() -> None:
    words = render.progress_words(Progress(50, 10.0, on_link=True), 100)
    assert words.endswith("left · over the link, as TCP does not get through")


def test_json_is_ascii_and_exact() -> None:
    world = LocalWorld()
    row = world.peer_sends(HOSTILE)
    text = render.dumps(render.message_object(row, world.view, 1))
    assert text.isascii()
    assert text.isprintable()
    value = json.loads(text)
    assert value == {
        "type": "message",
        "id": row.id.hex(),
        "no": 1,
        "peer": 1,
        "mine": False,
        "kind": "text",
        "text": HOSTILE,
        "state": "unread",
        "ack": 1,
        "from": "10.0.0.1:5001",
        "sent_ms": row.sent_ms,
        "arrived_ms": row.arrived_ms,
        "lamport": 1,
        "reply_to": None,
    }


def test_json_of_offers_failures_and_events() -> None:
    world = LocalWorld()
    transfer = world.peer_offers("a", 5)
    row = world.peer().messages[0]
    value = render.message_object(row, world.view, 1)
    assert (value["kind"], value["text"], value["ack"]) == ("offer", None, 1)
    assert value["transfer"] == {
        "state": "offered",
        "size_bytes": 5,
        "files": [{"path": "a", "size_bytes": 5}],
        "folders": [],
        "file_count": 1,
        "left_out": 0,
    }
    failed = MessageRow(1, transfer, True, 1, b"x", 0, 0, 1, 0, "", 1, 1, "gone")
    assert render.message_object(failed, world.view, 9)["failed"] == "gone"
    assert render.message_object(failed, world.view, 9)["state"] == "unknown"
    event = LinkChanged(LinkRow(1, "up", 5))
    assert render.struct_object(event)["row"]["state"] == "up"
    assert render.struct_object(TypingChanged(1, True)) == {
        "type": "TypingChanged", "peer": 1, "typing": True,
    }  # fmt: skip
