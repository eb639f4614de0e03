"""The one reducer: a snapshot and the events after it are the later view; and it stays bounded."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import (
    AckRange,
    ClientRow,
    LinkRow,
    MessageRow,
    PeerRow,
    RestoreRow,
    SessionRow,
    TransferRow,
    TransferState,
)
from chatnet_protocol.ipc.view import (
    PeerView,
    View,
    apply_runs,
    bounded_tail,
    idle_link,
    message_state,
    screen_order,
)
from chatnet_protocol.limits import (
    MAX_VIEW_TRANSFERS,
    SNAPSHOT_PART_BYTES,
    VIEW_MESSAGES,
    VIEW_TEXT_BYTES,
)

SESSION = SessionRow("a", "me", "0.0.0.0", 1, b"k", "f", "/inbox")


def row(no: int, mine: bool = False, count: int = 0, **fields: object) -> MessageRow:
    """A message with number `no`; `count` is its seq, or its ACK number."""
    made = MessageRow(
        no, no.to_bytes(16, "big"), mine, 1, b"text", 1, 2, count if mine else 0,
        0 if mine else count, "", no, no,
    )  # fmt: skip
    return msgspec.structs.replace(made, **fields)


def view_of(*peers: int) -> View:
    view = View(session=SESSION)
    for peer in peers:
        view.apply(ev.PeerChanged(PeerRow(peer, f"p{peer}", "h", 1)))
    return view


def only(view: View) -> PeerView:
    return view.peers[0]


def added(peer: int, *rows: MessageRow) -> ev.MessagesAdded:
    return ev.MessagesAdded(peer, rows[0].no if rows else 0, list(rows))


small = st.integers(0, 6)
peers = st.integers(1, 3)
rows = st.builds(
    lambda no, mine, count, place, size: row(
        no, mine, count, place=min(no, place), body=b"x" * size
    ),
    st.integers(1, 200), st.booleans(), st.integers(1, 50), st.integers(0, 200),
    st.sampled_from([0, 1, 30_000]),
)  # fmt: skip
transfers = st.builds(
    lambda n, peer, state: TransferRow(bytes([n]) * 16, peer, 1, True, state, "f", 1, 1),
    small, peers, st.sampled_from(list(TransferState)),
)  # fmt: skip
runs = st.builds(lambda seq, ack, run: AckRange(seq, ack + run, min(run, seq)),
                 st.integers(1, 50), small, st.integers(1, 9))  # fmt: skip
some_rows = st.lists(rows, max_size=8)
events = st.one_of(
    st.builds(ev.MessagesAdded, peers, st.integers(1, 200), some_rows),
    st.builds(ev.MessagesRestored, peers, st.integers(1, 200), some_rows, st.none() | some_rows),
    st.builds(lambda n, k: ev.RestoreChanged(RestoreRow(n, "running", "none", k)), peers, small),
    st.builds(ev.MessagesDelivered, peers, st.integers(0, 50), st.lists(runs, max_size=3)),
    st.builds(ev.MessageFailed, peers, st.integers(1, 200), st.just("why")),
    st.builds(ev.CountersRaised, peers, small, small),
    st.builds(ev.MarksMoved, peers, small, small, small, small, small),
    st.builds(ev.DraftChanged, peers, small, st.text(max_size=3), small),
    st.builds(ev.TypingChanged, peers, st.booleans()),
    st.builds(lambda n: ev.PeerChanged(PeerRow(n, "name", "h", 1)), peers),
    st.builds(ev.PeerRemoved, peers, st.integers(0, 3), some_rows),
    st.builds(
        lambda n, s: ev.LinkChanged(LinkRow(n, s, 1)), peers, st.sampled_from(["up", "idle"])
    ),
    st.builds(ev.TransferChanged, transfers),
    st.builds(lambda n: ev.ClientAttached(ClientRow(n, "c", "full", 1)), small),
    st.builds(ev.ClientDetached, small),
    st.builds(
        ev.Notice,
        st.just("info"),
        st.just("code"),
        st.lists(st.text(max_size=3), max_size=2),
        small,
    ),
    st.builds(ev.EngineStopping, st.just("bye")),
)


@given(before=st.lists(events, max_size=15), after=st.lists(events, max_size=15))
def test_a_snapshot_and_the_events_after_it_are_the_later_view(
    before: list[ev.Event], after: list[ev.Event]
) -> None:
    live = view_of(1, 2)
    for event in before:
        live.apply(event)
    mirror = View.from_parts(live.pack_parts())
    assert mirror == live
    for event in after:
        live.apply(event)
        mirror.apply(codec.unpack(codec.pack(event), type(event), 1 << 20))
    assert mirror == live
    assert mirror.durable() == live.durable()


@given(many=st.lists(events, max_size=40))
def test_a_view_is_bounded_whatever_happens(many: list[ev.Event]) -> None:
    view = view_of(1, 2)
    for event in many:
        view.apply(event)
        for peer in view.peers:
            assert bounded_tail(peer.messages) == peer.messages


def test_old_messages_leave_the_view_by_count_and_by_size() -> None:
    view = view_of(1)
    for no in range(1, 3 * VIEW_MESSAGES):
        view.apply(added(1, row(no, count=no)))
    assert [r.no for r in only(view).messages] == list(range(2 * VIEW_MESSAGES, 3 * VIEW_MESSAGES))
    large = row(500, body=b"x" * (VIEW_TEXT_BYTES - 8))
    view.apply(added(1, large, row(501), row(502)))
    assert [r.no for r in only(view).messages] == [500, 501, 502]
    view.apply(added(1, row(503, body=b"")))
    view.apply(added(1, row(504, body=b"x")))
    assert [r.no for r in only(view).messages] == [501, 502, 503, 504]
    view.apply(added(1, row(505, body=b"x" * (VIEW_TEXT_BYTES + 1))))
    assert [r.no for r in only(view).messages] == [505], "one message is always shown"


@pytest.mark.parametrize("chunk", [1, 3, 7, 200])
def test_batches_do_not_matter_to_the_view(chunk: int) -> None:
    many = [row(no, no % 3 == 0, no, body=b"x" * (no % 7) * 300) for no in range(1, 201)]
    view = view_of(1)
    for start in range(0, len(many), chunk):
        view.apply(added(1, *many[start : start + chunk]))
    assert only(view).messages == bounded_tail(many)
    assert (only(view).last_no, only(view).last_seq, only(view).last_ack) == (200, 198, 200)
    assert view.last_no == 200


def test_restored_messages_stand_where_they_were() -> None:
    view = view_of(1)
    view.apply(added(1, row(5), row(6)))
    back = [row(7, place=5, lamport=6), row(8, place=0), row(9, place=5, lamport=9)]
    view.apply(ev.MessagesRestored(1, 7, back))
    assert [r.no for r in only(view).messages] == [8, 5, 7, 9, 6]
    assert only(view).messages == sorted(only(view).messages, key=screen_order)


def test_a_row_that_is_known_is_replaced() -> None:
    view = view_of(1)
    view.apply(added(1, row(5, True, 1, failed="why"), row(6)))
    view.apply(ev.MessagesRestored(1, 5, [row(5, True, 1, ack=3, lamport=2)]))
    assert [(r.no, r.ack, r.lamport, r.failed) for r in only(view).messages] == [
        (5, 3, 2, ""), (6, 0, 6, ""),
    ]  # fmt: skip
    assert (only(view).last_seq, view.last_no) == (1, 6)


def test_the_newest_as_told_after_a_restore_are_those_of_the_view() -> None:
    view = view_of(1)
    view.apply(added(1, row(5), row(6)))
    view.apply(ev.MessagesRestored(1, 7, [row(7, place=0)], [row(6)]))
    assert [r.no for r in only(view).messages] == [6]
    assert view.last_no == 7


def test_the_state_of_a_restore_is_told_and_kept() -> None:
    view = view_of(1)
    assert only(view).restore == RestoreRow(0)
    view.apply(ev.RestoreChanged(RestoreRow(1, "asking", "asked", 3)))
    view.apply(ev.RestoreChanged(RestoreRow(9, "asking")))
    assert only(view).restore == RestoreRow(1, "asking", "asked", 3)
    assert only(view.durable()).restore == only(view).restore


def test_of_two_at_one_place_the_counter_then_the_author_then_the_id_decides() -> None:
    def same(no: int, mine: bool = False) -> MessageRow:
        return row(no, mine, place=1, lamport=1)

    ordered = [
        row(4, lamport=0, place=1), same(3), same(5), same(2, True), row(1, lamport=2, place=1),
    ]  # fmt: skip
    mixed = [ordered[k] for k in (3, 1, 4, 0, 2)]
    assert sorted(mixed, key=screen_order) == ordered


def test_of_a_deleted_message_only_its_numbers_are_left() -> None:
    view = view_of(1)
    view.apply(added(1, row(1, True, 1), row(2, True, 2)))
    view.apply(ev.MessageFailed(1, 2, "withdrawn"))
    assert only(view).messages[1].body
    view.apply(ev.MessageFailed(1, 2, "deleted"))
    assert [(r.no, r.failed, bool(r.body)) for r in only(view).messages] == [
        (1, "", True), (2, "deleted", False),
    ]  # fmt: skip


def test_ticks_follow_from_the_watermarks() -> None:
    view = view_of(1)
    view.apply(added(1, *(row(seq, True, seq) for seq in range(1, 7))))
    view.apply(ev.MessageFailed(1, 6, "why"))
    view.apply(ev.MarksMoved(1, 4, 0, 0, 0, 0))
    view.apply(ev.MessagesDelivered(1, 3, [AckRange(3, 13, 3)]))
    view.apply(ev.MarksMoved(1, 0, 12, 11, 0, 0))
    states = [message_state(r, only(view)) for r in only(view).messages]
    assert states == ["read", "shown", "delivered", "sent", "queued", "failed"]
    assert only(view).waiting == 2, "what failed will never be delivered"


def test_messages_of_the_peer_are_unread_until_read() -> None:
    view = view_of(1)
    view.apply(added(1, row(1, count=1), row(2, count=2)))
    view.apply(ev.MarksMoved(1, 0, 0, 0, 2, 1))
    assert [message_state(r, only(view)) for r in only(view).messages] == ["read", "unread"]
    assert only(view).unread == 1


def test_delivered_without_an_ack_number_in_view_is_delivered() -> None:
    peer = PeerView(PeerRow(1, "n", "h", 1), idle_link(1), delivered_seq=4)
    assert message_state(row(1, True, 4), peer) == "delivered"


def test_watermarks_never_fall() -> None:
    view = view_of(1)
    view.apply(ev.MarksMoved(1, 5, 5, 5, 5, 5))
    view.apply(ev.MarksMoved(1, 1, 1, 1, 1, 1))
    view.apply(ev.MessagesDelivered(1, 3, []))
    view.apply(ev.MessagesDelivered(1, 2, []))
    peer = only(view)
    assert peer.delivered_seq == 3
    assert {peer.sent_seq, peer.peer_shown, peer.peer_read, peer.my_shown, peer.my_read} == {5}


def test_an_ack_number_once_told_stays() -> None:
    mine = [row(1, True, 1), row(2, True, 2, ack=9), row(3, False, 3), row(4, True, 3)]
    assert [r.ack for r in apply_runs(mine, [AckRange(3, 30, 3)])] == [28, 9, 3, 30]


def test_waiting_messages_rise_in_lamport_order() -> None:
    view = view_of(1)
    view.apply(added(1, row(1, True, 1), row(2), row(3, True, 2)))
    view.apply(ev.CountersRaised(1, 1, 40))
    assert [r.lamport for r in only(view).messages] == [1, 2, 43]


def test_a_merged_peer_counts_on_behind_the_other() -> None:
    view = view_of(1, 2)
    view.apply(added(1, row(1, True, 1), row(2, count=1)))
    view.apply(added(2, row(3, True, 1)))
    view.apply(ev.DraftChanged(2, 1, "draft", 1))
    view.apply(ev.MessagesDelivered(1, 1, [AckRange(1, 1, 1)]))
    offer = TransferRow(b"t" * 16, 2, 3, True, "offered", "f", 1, 1)
    view.apply(ev.TransferChanged(offer))
    after = [*only(view).messages, row(3, True, 2, lamport=9)]
    view.apply(ev.PeerRemoved(2, 1, after))
    peer = only(view)
    assert len(view.peers) == 1
    assert (peer.last_seq, peer.delivered_seq, peer.last_no, peer.draft) == (2, 1, 3, "draft")
    assert peer.messages == after
    assert view.transfers == [msgspec.structs.replace(offer, peer=1)]


def test_a_removed_peer_leaves_and_its_transfers_stay() -> None:
    view = view_of(1, 2)
    view.apply(ev.TransferChanged(TransferRow(b"t" * 16, 2, 3, True, "done", "f", 1, 1)))
    view.apply(ev.PeerRemoved(2))
    assert [peer.info.peer for peer in view.peers] == [1]
    assert len(view.transfers) == 1
    assert view.peer(2) is None


def test_peers_are_found_in_whatever_order_they_stand() -> None:
    view = view_of(2, 5, 9, 3, 1)
    assert [view.peer(number) for number in (2, 5, 9, 3, 1)] == view.peers
    assert [view.peer(number) for number in (0, 4, 10)] == [None] * 3
    assert View(view.session).peer(1) is None


def test_events_about_unknown_peers_change_only_the_last_number() -> None:
    view = view_of(1)
    before = View.from_parts(view.pack_parts())
    for event in (
        added(9, row(4)), ev.MessagesDelivered(9, 1, []), ev.TypingChanged(9, True),
        ev.PeerRemoved(9), ev.LinkChanged(LinkRow(9, "up", 1)), ev.ClientDetached(9),
    ):  # fmt: skip
        view.apply(event)
    assert view == msgspec.structs.replace(before, last_no=4)


def test_the_oldest_ended_transfers_leave_also_when_running_ones_end() -> None:
    view = view_of(1)
    count = MAX_VIEW_TRANSFERS + 5
    made = [
        TransferRow(n.to_bytes(16, "big"), 1, n, True, "active", "f", 1, 1) for n in range(count)
    ]
    for transfer in made:
        view.apply(ev.TransferChanged(transfer))
    assert len(view.transfers) == count
    for transfer in made[:-1]:
        view.apply(ev.TransferChanged(msgspec.structs.replace(transfer, state="done")))
    assert [t.no for t in view.transfers] == list(range(4, count))
    assert view.transfer(made[-1].id) == made[-1]
    assert view.transfer(made[0].id) is None


def test_clients_come_once_and_go() -> None:
    view = view_of()
    for name in ("old", "new"):
        view.apply(ev.ClientAttached(ClientRow(1, name, "full", 1)))
    view.apply(ev.ClientAttached(ClientRow(2, "other", "full", 1)))
    assert [client.name for client in view.clients] == ["new", "other"]
    view.apply(ev.ClientDetached(1))
    assert [client.client for client in view.clients] == [2]


def test_what_ends_with_the_engine_is_not_durable() -> None:
    view = view_of(1)
    view.apply(added(1, row(1)))
    plain = View.from_parts(view.pack_parts())
    view.apply(ev.TypingChanged(1, True))
    view.apply(ev.LinkChanged(LinkRow(1, "up", 5)))
    view.apply(ev.ClientAttached(ClientRow(1, "c", "full", 1)))
    view.apply(ev.EngineStopping("bye"))
    assert (only(view).typing, only(view).link.state, view.stopping) == (True, "up", "bye")
    assert view.durable() == plain
    view.durable().apply(added(1, row(2)))
    assert [r.no for r in only(view).messages] == [1], "the copy shares nothing that changes"


def test_a_large_view_is_cut_into_parts_and_put_together() -> None:
    view = view_of(*range(1, 11))
    for peer in range(1, 11):
        view.apply(added(peer, row(peer, body=b"x" * VIEW_TEXT_BYTES)))
    parts = view.pack_parts()
    assert len(parts) > 2
    assert max(map(len, parts)) <= SNAPSHOT_PART_BYTES
    assert View.from_parts(parts) == view


@pytest.mark.parametrize("parts", [[], [b""], [b"\x90"], [b"\xc1"]])
def test_parts_that_are_no_snapshot_are_refused(parts: list[bytes]) -> None:
    with pytest.raises(DecodeError):
        View.from_parts(parts)
