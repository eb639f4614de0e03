"""The rows of one conversation follow view, pages and events, and stay within their limits."""

import random

import msgspec
import pytest

from chatnet_client import conversation as module
from chatnet_client.conversation import Conversation, Inserted, Removed, Updated
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.events import (
    Event,
    MessageFailed,
    MessagesAdded,
    MessagesRestored,
    TypingChanged,
)
from chatnet_protocol.ipc.rows import MessageRow
from local_world import LocalWorld


def make(count: int = 0) -> tuple[LocalWorld, Conversation]:
    world = LocalWorld()
    if count:
        world.peer_sends_all([str(number) for number in range(count)])
    world.take_publications()
    return world, Conversation(world.peer())


def feed(world: LocalWorld, conversation: Conversation) -> list[module.Change]:
    changes: list[module.Change] = []
    for event in events_of(world):
        changes += conversation.handle_event(event)
    return changes


def events_of(world: LocalWorld) -> list[Event]:
    """What was published since the last time."""
    return [
        event
        for topic, frame in world.take_publications()
        if topic == envelope.TOPIC_EVENTS
        for event in envelope.decode_publication(frame).events
    ]


def numbers(conversation: Conversation) -> list[int]:
    return [row.no for row in conversation.rows]


def load(world: LocalWorld, conversation: Conversation, limit: int = 256) -> list[module.Change]:
    query = conversation.older_page(limit)
    assert query is not None
    return conversation.handle_page(world.page(query))


def test_tail_and_new_messages() -> None:
    world, conversation = make(3)
    world.peer_sends("new")
    world.send("own")
    assert feed(world, conversation) == [Inserted(3, 1), Inserted(4, 1)]
    assert numbers(conversation) == [1, 2, 3, 4, 5]


def test_older_pages_until_the_top() -> None:
    world, conversation = make(200)
    assert numbers(conversation) == list(range(151, 201))
    assert conversation.older_page(100) == FetchHistory(1, None, 151, 151, 100)
    assert load(world, conversation, 100) == [Inserted(0, 100)]
    assert load(world, conversation, 100) == [Inserted(0, 50)]
    assert numbers(conversation) == list(range(1, 201))
    assert not conversation.has_older
    assert conversation.older_page() is None


def test_a_page_that_overlaps_or_is_of_somebody_else_adds_nothing() -> None:
    world, conversation = make(60)
    page = world.page(FetchHistory(peer=1, limit=50))
    assert conversation.handle_page(page) == []
    older = world.page(FetchHistory(peer=1, limit=256))
    assert conversation.handle_page(HistoryPage(older.rows, [9] * 60, False)) == []
    assert numbers(conversation) == list(range(11, 61))


def test_ack_numbers_are_filled_in() -> None:
    world, conversation = make(2)
    world.cut()
    for _ in range(3):
        world.send("own")
    feed(world, conversation)
    world.heal()
    world.until(lambda: world.peer().delivered_seq == 3)
    assert feed(world, conversation) == [Updated(2), Updated(3), Updated(4)]
    assert [row.ack for row in conversation.rows] == [1, 2, 1, 2, 3]
    world.send("own")
    world.run(0.1)
    assert feed(world, conversation) == [Inserted(5, 1), Updated(5)]


def test_a_long_run_of_acks_costs_only_the_rows_at_hand() -> None:
    world, conversation = make()
    world.peer_leaves()
    for _ in range(120):
        world.send("own")
    conversation.reset(world.peer())
    world.take_publications()
    world.peer_returns()
    world.until(lambda: world.peer().delivered_seq == 120)
    assert len(feed(world, conversation)) == 50
    assert conversation.rows[0].ack == 71


def test_failures_are_shown_on_their_row() -> None:
    _world, conversation = make(2)
    assert conversation.handle_event(MessageFailed(1, 1, "too late")) == [Updated(0)]
    assert conversation.rows[0].failed == "too late"
    assert conversation.handle_event(MessageFailed(1, 99, "unknown")) == []


def test_restored_rows_go_where_they_belong() -> None:
    _world, conversation = make(2)
    row = MessageRow(3, b"r" * 16, False, 1, b"between", 0, 0, 0, 9, "", 1, 1)
    assert conversation.handle_event(MessagesRestored(1, 3, [row])) == [Inserted(1, 1)]
    assert conversation.handle_event(MessagesRestored(1, 3, [row])) == []
    assert [row.text for row in conversation.rows] == ["0", "between", "1"]


def test_a_row_that_is_another_one_now_moves() -> None:
    _world, conversation = make(3)
    row = msgspec.structs.replace(conversation.rows[0], place=2, lamport=9)
    moved = conversation.handle_event(MessagesRestored(1, 1, [row]))
    assert moved == [Removed(0, 1), Inserted(1, 1)]
    assert [row.text for row in conversation.rows] == ["1", "0", "2"]
    assert conversation.rows[1].lamport == 9
    acked = msgspec.structs.replace(row, ack=77)
    assert conversation.handle_event(MessagesRestored(1, 1, [acked])) == [
        Removed(1, 1),
        Inserted(1, 1),
    ]


def test_a_page_read_before_rows_came_back_is_asked_for_again() -> None:
    world, conversation = make(60)
    query = conversation.older_page()
    assert query is not None
    page = world.page(query)
    row = MessageRow(61, b"r" * 16, False, 1, b"old", 0, 0, 0, 9, "", 0, 3)
    conversation.handle_event(MessagesRestored(1, 61, [row]))
    assert conversation.handle_page(page) == []
    with_it = HistoryPage([row, *page.rows], [1, *page.peers], False)
    asked_again = conversation.older_page()
    assert asked_again is not None
    assert conversation.handle_page(with_it) == [Inserted(0, 11)]
    assert numbers(conversation)[:6] == [1, 2, 61, 3, 4, 5]


def test_several_rows_of_one_event_are_one_change() -> None:
    world, conversation = make(2)
    first = world.peer_sends("a")
    rows = [first, world.peer_sends("b"), world.peer_sends("c")]
    event = MessagesAdded(1, first.no, rows)
    assert conversation.handle_event(event) == [Inserted(2, 3)]
    assert conversation.index_of(msgspec.structs.replace(first, id=b"x" * 16, place=99)) is None


def test_an_empty_conversation_takes_a_page() -> None:
    world = LocalWorld()
    conversation = Conversation(world.peer())
    world.peer_sends("a")
    page = world.page(FetchHistory(peer=1))
    assert conversation.handle_page(page) == [Inserted(0, 1)]


def test_a_row_above_the_loaded_part_waits_for_its_page() -> None:
    _world, conversation = make(60)
    row = MessageRow(61, b"r" * 16, False, 1, b"old", 0, 0, 0, 9, "", 0, 3)
    assert conversation.handle_event(MessagesRestored(1, 61, [row])) == []


def test_other_events_and_other_peers_change_nothing() -> None:
    _world, conversation = make(2)
    row = conversation.rows[0]
    assert conversation.handle_event(TypingChanged(1, True)) == []
    assert conversation.handle_event(MessagesRestored(2, 9, [row])) == []
    assert conversation.index_of(row) == 0


@pytest.mark.parametrize("limit", ["MAX_ROWS", "MAX_BODY_BYTES"])
def test_at_a_limit_the_oldest_go_and_no_page_is_taken(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    world, conversation = make(20)
    conversation.has_older = False
    # 20 rows of 30 bytes: one-digit and two-digit texts
    monkeypatch.setattr(module, limit, {"MAX_ROWS": 20, "MAX_BODY_BYTES": 31}[limit])
    world.peer_sends("12")
    assert feed(world, conversation)[-1].index == 0
    assert conversation.has_older
    monkeypatch.setattr(module, limit, 2)
    assert conversation.is_full
    assert conversation.older_page() is None
    world.peer_sends("newest")
    feed(world, conversation)
    assert conversation.rows[-1].text == "newest"
    assert len(conversation.rows) <= 2


@pytest.mark.parametrize("seed", range(4))
def test_changes_replayed_on_a_list_give_the_same_rows(seed: int) -> None:
    rng = random.Random(seed)
    world, conversation = make(120)
    shown = list(conversation.rows)
    for _ in range(40):
        match rng.randrange(4):
            case 0:
                world.peer_sends("x")
            case 1:
                world.send("own")
            case 2:
                world.peer_leaves()
                world.send("own, and delivered later")
                world.peer_returns()
            case _ if conversation.older_page():
                follow(shown, load(world, conversation, rng.randrange(1, 20)), conversation)
            case _:
                pass
        for event in events_of(world):
            follow(shown, conversation.handle_event(event), conversation)
        assert shown == conversation.rows
    world.run(1.0)
    for event in events_of(world):
        follow(shown, conversation.handle_event(event), conversation)
    assert [row for _, row in world.history[-len(shown) :]] == shown


def follow(shown: list[MessageRow], changes: list[module.Change], now: Conversation) -> None:
    for change in changes:
        match change:
            case Inserted(index, count):
                shown[index:index] = now.rows[index : index + count]
            case Removed(index, count):
                del shown[index : index + count]
            case Updated(index):
                shown[index] = now.rows[index]
