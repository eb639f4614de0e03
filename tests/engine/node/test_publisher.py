"""Numbering, ring, snapshots: how a client gets to the present."""

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.node.publisher import MAX_SHOWN_FIRST, Publisher, split_rows
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc.commands import Cursor
from chatnet_protocol.ipc.events import MessagesAdded, Notice, PeerChanged
from chatnet_protocol.ipc.rows import MessageRow, PeerRow, SessionRow
from chatnet_protocol.ipc.view import View
from chatnet_protocol.limits import (
    EVENT_RING_BYTES,
    HEARTBEAT_INTERVAL_S,
    MAX_EVENT_BYTES,
    MAX_PUBLICATION_BYTES,
    MAX_SNAPSHOT_KEPT_S,
    MAX_SNAPSHOTS,
    SNAPSHOT_FRESH_EVENTS,
    SNAPSHOT_FRESH_S,
    SNAPSHOT_KEPT_S,
)

BOOT = b"bootboot"
NOW = Now(50.0, 1)


def publisher() -> Publisher:
    session = SessionRow("s", "me", "0.0.0.0", 1, b"k" * 32, "fp", "/inbox")
    out = Publisher(BOOT, View(session))
    out.publish(PeerChanged(PeerRow(1, "bob", "bob", 2)))
    return out


def rows(first: int, count: int, size: int = 10) -> list[MessageRow]:
    return [
        MessageRow(n, n.to_bytes(16), False, 1, b"x" * size, 1, 2, 0, n, "ip:1", n, n)
        for n in range(first, first + count)
    ]


def publications(out: Publisher, now: Now = NOW) -> list[envelope.Publication]:
    return [
        envelope.decode_publication(effect.frame)
        for effect in out.take_effects(now)
        if effect.topic == envelope.TOPIC_EVENTS
    ]


def test_events_are_numbered_densely_and_go_out_once() -> None:
    out = publisher()
    out.publish(MessagesAdded(1, 1, rows(1, 1)))
    (publication,) = publications(out)
    assert (publication.boot, publication.first_seq, len(publication.events)) == (BOOT, 1, 2)
    assert publications(out) == []
    out.publish(MessagesAdded(1, 2, rows(2, 1)))
    assert publications(out)[0].first_seq == 3
    assert out.view.last_no == 2


def test_a_few_messages_of_a_peer_are_shown_before_all_else() -> None:
    out = publisher()
    assert out.take_urgent(NOW) == []
    out.publish(MessagesAdded(1, 1, rows(1, MAX_SHOWN_FIRST)))
    assert envelope.TOPIC_EVENTS in [each.topic for each in out.take_urgent(NOW)]
    out.publish(MessagesAdded(1, 9, rows(9, MAX_SHOWN_FIRST + 1)))
    assert out.take_urgent(NOW) == []
    assert len(publications(out)) == 1
    mine = MessageRow(18, b"\x12" * 16, True, 1, b"x", 1, 2, 1, 0, "", 18, 18)
    out.publish(MessagesAdded(1, 18, [mine]))
    assert out.take_urgent(NOW) == []


def test_who_attaches_gets_what_happened_in_this_turn() -> None:
    out = publisher()
    publications(out)
    out.publish(MessagesAdded(1, 1, rows(1, 1)))
    assert out.covers(Cursor(BOOT, 1, 0))
    page = envelope.decode_publication(out.events_page(BOOT, 2))
    assert [type(event) for event in page.events] == [MessagesAdded]


def test_long_batches_are_split_into_events_of_bounded_size() -> None:
    out = publisher()
    out.publish(MessagesAdded(1, 1, rows(1, 10, size=30_000)))
    frames = [e.frame for e in out.take_effects(NOW) if e.topic == envelope.TOPIC_EVENTS]
    assert all(len(frame) <= MAX_PUBLICATION_BYTES + 100 for frame in frames)
    events = [event for frame in frames for event in envelope.decode_publication(frame).events]
    assert all(len(envelope.pack_event(event)) <= MAX_EVENT_BYTES for event in events)
    added = [event for event in events if isinstance(event, MessagesAdded)]
    assert len(added) > 3
    assert [row.no for event in added for row in event.rows] == list(range(1, 11))
    assert [event.first_no for event in added] == [event.rows[0].no for event in added]


def test_a_row_larger_than_the_rest_stands_alone() -> None:
    groups = split_rows(rows(1, 1, 60_000) + rows(2, 1, 60_000) + rows(3, 2))
    assert [[row.no for row in group] for group in groups] == [[1], [2, 3, 4]]


def test_the_head_comes_every_second() -> None:
    out = publisher()
    topics = [effect.topic for effect in out.take_effects(NOW)]
    assert topics == [envelope.TOPIC_EVENTS, envelope.TOPIC_HEAD]
    assert out.take_effects(NOW) == []
    assert out.next_timeout() == NOW.mono_s + HEARTBEAT_INTERVAL_S
    (head,) = out.take_effects(Now(NOW.mono_s + HEARTBEAT_INTERVAL_S, 1))
    assert envelope.decode_heartbeat(head.frame) == envelope.Heartbeat(BOOT, 1, 0)


def test_a_cursor_within_the_ring_gets_exactly_what_it_missed() -> None:
    out = publisher()
    for number in range(1, 6):
        out.publish(MessagesAdded(1, number, rows(number, 1)))
    assert out.covers(Cursor(BOOT, 3, 2))
    page = envelope.decode_publication(out.events_page(BOOT, 4))
    assert page.first_seq == 4
    assert [event.first_no for event in page.events] == [3, 4, 5]  # type: ignore[union-attr]
    assert out.events_page(BOOT, out.seq + 1) == b""


@pytest.mark.parametrize(("boot", "first"), [(b"otherone", 1), (BOOT, 99), (BOOT, 0)])
def test_events_of_another_boot_or_out_of_range_are_gone(boot: bytes, first: int) -> None:
    with pytest.raises(CommandError) as caught:
        publisher().events_page(boot, first)
    assert caught.value.code == ErrorCode.GONE


def test_the_ring_is_bounded_and_tells_what_it_lost() -> None:
    out = publisher()
    count = 0
    while out.covers(Cursor(BOOT, 0, 0)):
        count += 1
        out.publish(Notice("info", "x", ["y" * 60_000]))
    assert count * 60_000 < EVENT_RING_BYTES + 120_000
    with pytest.raises(CommandError):
        out.events_page(BOOT, 1)
    assert not out.covers(None)


def later(seconds: float) -> Now:
    return Now(NOW.mono_s + seconds, 1)


def test_a_fresh_snapshot_serves_all_who_attach() -> None:
    out = publisher()
    seq, parts = out.open_snapshot(NOW)
    before = View.from_parts([out.snapshot_part(BOOT, seq, n, NOW) for n in range(parts)])
    assert before == out.view
    out.publish(MessagesAdded(1, 1, rows(1, 1)))
    assert out.open_snapshot(later(SNAPSHOT_FRESH_S - 0.1)) == (seq, parts)
    assert View.from_parts([out.snapshot_part(BOOT, seq, 0, NOW)]) == before


def test_a_snapshot_goes_stale_from_its_making_however_often_it_is_asked_for() -> None:
    out = publisher()
    seq, _ = out.open_snapshot(NOW)
    out.publish(MessagesAdded(1, 1, rows(1, 1)))
    out.open_snapshot(later(SNAPSHOT_FRESH_S - 0.1))
    assert out.open_snapshot(later(SNAPSHOT_FRESH_S))[0] == out.seq != seq


def test_a_snapshot_goes_stale_by_what_happens_after_it() -> None:
    out = publisher()
    seq, _ = out.open_snapshot(NOW)
    for _ in range(SNAPSHOT_FRESH_EVENTS):
        out.publish(Notice("info", "x", ["y"]))
    assert out.open_snapshot(NOW)[0] == seq
    out.publish(Notice("info", "x", ["y"]))
    assert out.open_snapshot(NOW)[0] == out.seq


def test_parts_stay_for_whoever_goes_on_asking_for_them_but_not_for_ever() -> None:
    out = publisher()
    seq, _ = out.open_snapshot(NOW)
    passed = 0.0
    while passed < MAX_SNAPSHOT_KEPT_S:
        out.take_effects(later(passed))
        assert out.snapshot_part(BOOT, seq, 0, later(passed))
        passed += SNAPSHOT_KEPT_S - 0.1
    out.take_effects(later(MAX_SNAPSHOT_KEPT_S))
    with pytest.raises(CommandError) as caught:
        out.snapshot_part(BOOT, seq, 0, later(MAX_SNAPSHOT_KEPT_S))
    assert caught.value.code == ErrorCode.GONE


def test_a_snapshot_that_nobody_asks_for_goes() -> None:
    out = publisher()
    seq, _ = out.open_snapshot(NOW)
    out.take_effects(later(SNAPSHOT_KEPT_S - 0.1))
    assert out.snapshot_part(BOOT, seq, 0, NOW)
    out.take_effects(later(SNAPSHOT_KEPT_S + HEARTBEAT_INTERVAL_S))
    with pytest.raises(CommandError):
        out.snapshot_part(BOOT, seq, 0, NOW)


def test_the_number_and_the_size_of_snapshots_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def kept(out: Publisher, opened: list[int]) -> list[int]:
        found = []
        for seq in opened:
            try:
                out.snapshot_part(BOOT, seq, 0, NOW)
            except CommandError:
                continue
            found.append(seq)
        return found

    def open_six() -> tuple[Publisher, list[int]]:
        out, opened = publisher(), []
        for number in range(6):
            out.publish(Notice("info", "x", ["y"]))
            opened.append(out.open_snapshot(later(number * SNAPSHOT_FRESH_S))[0])
        return out, opened

    out, opened = open_six()
    assert kept(out, opened) == opened[-MAX_SNAPSHOTS:]
    monkeypatch.setattr("chatnet_engine.node.publisher.MAX_SNAPSHOTS_BYTES", 1)
    out, opened = open_six()
    assert kept(out, opened) == opened[-1:]


def test_a_snapshot_older_than_what_a_client_has_seen_does_not_serve_it() -> None:
    out = publisher()
    old, _ = out.open_snapshot(NOW)
    out.publish(MessagesAdded(1, 1, rows(1, 3)))
    assert out.open_snapshot(NOW, after_no=0)[0] == old
    assert out.open_snapshot(NOW, after_no=2)[0] == out.seq


def test_snapshot_and_later_events_give_the_later_view() -> None:
    out = publisher()
    out.publish(MessagesAdded(1, 1, rows(1, 60)))
    seq, parts = out.open_snapshot(NOW)
    mirror = View.from_parts([out.snapshot_part(BOOT, seq, n, NOW) for n in range(parts)])
    out.publish(MessagesAdded(1, 61, rows(61, 3)))
    for event in envelope.decode_publication(out.events_page(BOOT, seq + 1)).events:
        mirror.apply(event)
    assert mirror == out.view
