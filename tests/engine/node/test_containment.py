"""What the engine does when handling one peer, command or transfer raises: that ends, no more."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from chatnet_engine.files import offering
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.receiving import Receiving
from chatnet_engine.ledger import incoming, people, reload, transfers
from chatnet_engine.node.messaging import messaging
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.people import people as subject
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import MessagesAdded
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkState, MessageRow
from chatnet_protocol.wire import control
from injection import files, scenario
from injection.scenario import World, inject, link_count, points
from simworld.engine import SimEngine

SAMPLE = 14
"""Statements of some 800; `scripts/inject` does all."""
FILES_SAMPLE = 4
"""Of some 650 of the transfers."""


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, times: int = 1) -> None:
    original = getattr(owner, name)
    left = [times]

    def failing(*args: Any, **kwargs: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError("injected")
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, failing)


def test_an_exception_at_any_statement_is_contained() -> None:
    every = points(World, scenario.HANDLERS)
    for point in random.Random(29).sample(every, SAMPLE):
        assert inject(point, World) == [], point


def test_an_exception_at_any_statement_of_the_transfers_is_contained() -> None:
    """Every offer ends alike on both sides, and arrives once."""
    every = points(files.FilesWorld, files.HANDLERS)
    for point in random.Random(29).sample(every, FILES_SAMPLE):
        assert inject(point, files.FilesWorld) == [], point


def test_an_offer_whose_transfer_was_never_stored_becomes_one_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = files.FilesWorld()
    fail_once(monkeypatch, Receiving, "take_store")
    world.offer(world.at_b, "auto")
    world.run(5.0)
    assert world.transfers(world.a) == world.transfers(world.b) == {"auto": "done"}


def test_an_offer_that_could_not_be_made_is_none_until_it_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = files.FilesWorld()
    fail_once(monkeypatch, offering, "new_detail")
    request = world.at_a.ask(cmd.OfferFiles(files.IDS["sent"], 1, ["/home/sent"]))
    world.run(0.5)
    assert world.transfers(world.a) == world.transfers(world.b) == {}
    failure = world.at_a.replies[request].failure
    assert failure
    assert failure.code == ErrorCode.INTERNAL
    world.offer(world.at_a, "sent")
    world.run(5.0)
    assert world.transfers(world.a) == world.transfers(world.b) == {"sent": "done"}


def test_an_offer_whose_command_raises_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a request to the file process nor the memory of one: the next try is a first."""
    world = files.FilesWorld()
    parts = world.a.node
    asked = parts.transfers.transfers._out.ask

    def failing(request: pw.Request) -> None:
        asked(request)
        monkeypatch.undo()
        raise ZeroDivisionError("injected")

    monkeypatch.setattr(parts.transfers.transfers._out, "ask", failing)
    world.at_a.ask(cmd.OfferFiles(files.IDS["sent"], 1, ["/home/sent"]))
    world.run(0.01)
    assert parts.transfers.transfers.offering._waiting == {}
    assert world.a.files
    assert world.a.files.process.reports == []
    world.offer(world.at_a, "sent")
    world.run(5.0)
    assert world.transfers(world.a) == world.transfers(world.b) == {"sent": "done"}


def held(world: files.FilesWorld, *names: str) -> None:
    """A has been offered these, and takes none."""
    world.insist(world.at_a, cmd.SetPeer(1, auto_accept_bytes=0))
    world.run(0.1)
    for name in names:
        world.offer(world.at_b, name)
    world.run(0.3)


def test_what_a_unit_that_raises_was_to_say_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An accept that raises at its last step tells the sender nothing, and takes no file."""
    world = files.FilesWorld()
    held(world, "asked")
    said: list[object] = []
    decode = control.decode_control

    def note(body: bytes) -> control.Control:
        said.append(decode(body))
        return decode(body)

    monkeypatch.setattr(control, "decode_control", note)
    fail_once(monkeypatch, Receiving, "_touch")
    request = world.at_a.ask(cmd.AcceptTransfer(files.IDS["asked"]))
    world.run(0.3)
    failure = world.at_a.replies[request].failure
    assert failure
    assert failure.code == ErrorCode.INTERNAL
    assert [one for one in said if isinstance(one, control.Accept)] == []
    assert world.transfers(world.a) == world.transfers(world.b) == {"asked": "offered"}
    world.at_a.ask(cmd.AcceptTransfer(files.IDS["asked"]))
    world.run(3.0)
    assert world.transfers(world.a) == {"asked": "done"}


def test_what_a_transfer_took_of_the_quota_counts_only_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = files.FilesWorld()
    fail_once(monkeypatch, Receiving, "accept", times=3)
    world.offer(world.at_b, "auto")
    world.run(60.0)
    assert world.transfers(world.a) == {"auto": "done"}
    [use] = world.a.ledger.load().automatic
    assert (use.size_bytes, use.files) == (files.SIZE_BYTES, 1)
    assert world.a.node.transfers.transfers._quota._uses[use.key] == use


def test_a_file_process_that_listens_is_used_even_if_its_report_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says so only once. The first try comes at once, the next after pauses."""
    world = files.FilesWorld()
    kill_files(world.a)
    world.a.node.transfers.transfers._out.ready = False
    fail_once(monkeypatch, world.a.node.transfers.transfers, "_handle_ready", times=3)
    world.run(0.5)
    assert len(world.a.problems) == 2
    world.run(4.0)
    assert len(world.a.problems) == 3
    world.offer(world.at_b, "auto")
    world.offer(world.at_a, "sent")
    world.run(5.0)
    assert world.transfers(world.a) == {"auto": "done", "sent": "done"}


def test_one_transfer_that_raises_when_files_are_ready_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = files.FilesWorld()
    held(world, "asked", "refused")
    ours = world.a.node.transfers.transfers
    before = {one: ours._all[one] for one in (files.IDS["asked"], files.IDS["refused"])}
    fail_once(monkeypatch, Receiving, "handle_ready")
    kill_files(world.a)
    world.run(1.0)
    assert [ours._all[one] is kept for one, kept in before.items()] == [False, True]
    assert len(world.a.problems) == 1
    for name in ("asked", "refused"):
        world.at_a.ask(cmd.AcceptTransfer(files.IDS[name]))
    world.run(5.0)
    assert set(world.transfers(world.a).values()) == {"done"}


def test_a_timer_that_raises_is_tried_again_with_pauses_and_reads_no_transfer_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = files.FilesWorld()
    held(world, "asked")
    ours = world.a.node.transfers.transfers
    kept = ours._all[files.IDS["asked"]]
    fail_once(monkeypatch, ours.offering, "handle_timeout", times=3)
    kept.retry_at = world.a.now.mono_s
    ours._schedule.note(kept)
    world.at_b.say("a turn")
    world.run(0.5)
    assert len(world.a.problems) == 2, "at once, and once more"
    world.run(5.0)
    assert len(world.a.problems) == 3
    assert ours._all[files.IDS["asked"]] is kept


def kill_files(engine: SimEngine) -> None:
    assert engine.files
    engine.files.kill()


def test_transfers_whose_reading_raises_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = files.FilesWorld()
    held(world, "asked")
    fail_once(monkeypatch, Receiving, "handle_ready")
    fail_once(monkeypatch, transfers, "load_some")
    fail_once(monkeypatch, world.a.node.transfers.transfers, "handle_loaded")
    kill_files(world.a)
    world.run(5.0)
    assert len(world.a.problems) == 3
    world.at_a.ask(cmd.AcceptTransfer(files.IDS["asked"]))
    world.run(3.0)
    assert world.transfers(world.a) == {"asked": "done"}


@pytest.mark.parametrize("where", ["store", "node"])
def test_who_asks_what_receiving_takes_is_answered_if_listing_it_raises(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    world = files.FilesWorld()
    ours = world.a.node.transfers.transfers
    owner, name = (transfers, "list_received") if where == "store" else (ours, "handle_listed")
    fail_once(monkeypatch, owner, name)
    failed = world.at_a.ask(cmd.FetchSpace())
    world.run(1.0)
    failure = world.at_a.replies[failed].failure
    assert failure is not None
    assert failure.code == ErrorCode.INTERNAL
    again = world.at_a.ask(cmd.FetchSpace())
    world.run(1.0)
    assert world.at_a.replies[again].result == cmd.Space()


def test_a_peer_whose_input_raises_is_told_apart_and_linked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    before = link_count(world.at_a, 2)
    fail_once(monkeypatch, Conversation, "_arrived")
    world.at_b.say("it is said again")
    world.run(0.5)
    assert world.at_a.view
    shown = world.at_a.view.peers[0].link
    assert shown.state == LinkState.REFUSED
    assert shown.reason == reason(LinkReason.ENGINE_FAILED)
    [notice] = world.notices()
    assert (notice.level, notice.peer) == ("error", 1)
    assert notice.params == ["1"]
    assert world.a.problems[0].startswith("contained: peer 1: ZeroDivisionError at ")
    assert "injected" not in world.a.problems[0]  # messages may hold what people wrote
    assert world.problems() == []
    assert link_count(world.at_a, 2) == before


def test_messages_are_published_once_when_their_peer_is_read_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    node = world.a.node
    fail_once(monkeypatch, messaging.Messaging, "_announce_offers")
    monkeypatch.setattr(node.contained, "end_peer", partial(_twice, node.contained.end_peer))
    before = len(added(world))
    world.at_a.say("committed, and nobody knows")
    world.run(90)
    assert len(added(world)) == before + 1
    assert world.problems() == []


@pytest.mark.parametrize("late", [False, True])
def test_messages_of_all_peers_are_published_in_the_order_of_their_numbers(
    monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """A client that has seen a message asks only for later ones."""
    world = World()
    mistake = "_announce_offers" if late else "_follow"
    fail_once(monkeypatch, messaging.Messaging, mistake)
    before = len(added(world))
    for text in ("to one", "to the other"):
        for peer in (2, 1):
            world.at_a.say(text, peer)
    world.run(90)
    numbers = [row.no for row in added(world)[before:]]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 4
    assert world.problems() == []


def _twice(act: Callable[..., None], *args: Any) -> None:
    act(*args)
    act(*args)


def added(world: World) -> list[MessageRow]:
    """Rows that the front end of A was sent, one for each time."""
    events = [event for event in world.at_a.events if isinstance(event, MessagesAdded)]
    return [row for event in events for row in event.rows]


def test_the_pause_doubles_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    fail_once(monkeypatch, Conversation, "_arrived", times=4)
    world.at_b.say("again and again")
    world.run(90)
    pauses = [notice.params[0] for notice in world.notices()]
    assert pauses == ["1", "2", "4", "8"]
    assert world.problems() == []


def test_a_command_that_raises_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    fail_once(monkeypatch, subject, "checked_name")
    request = world.at_a.ask(cmd.SetPeer(1, name="Bob"))
    other = world.at_a.ask(cmd.SetPeer(2, name="Carol"))
    world.run(0.5)
    failure = world.at_a.replies[request].failure
    assert failure
    assert failure.code == ErrorCode.INTERNAL
    assert world.at_a.replies[other].failure is None
    assert world.problems() == []


def test_an_operation_that_raises_in_the_store_costs_its_peer_the_link_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    before = link_count(world.at_a, 2)
    fail_once(monkeypatch, incoming, "accept")
    world.at_b.say("committed at the second try")
    world.at_c.say("committed beside it")
    world.run(0.5)
    assert len(world.a.problems) == 1
    assert world.problems() == []
    assert link_count(world.at_a, 2) == before


def test_a_removal_that_raises_in_the_store_leaves_the_peer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    fail_once(monkeypatch, people, "forget")
    request = world.at_a.ask(cmd.RemovePeer(1))
    world.run(0.5)
    failure = world.at_a.replies[request].failure
    assert failure
    assert failure.code == ErrorCode.INTERNAL
    world.at_b.say("still here")
    assert world.problems() == []


def test_a_peer_that_cannot_be_read_is_read_again_with_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    before = link_count(world.at_a, 2)
    fail_once(monkeypatch, Conversation, "_arrived")
    fail_once(monkeypatch, reload, "load_peer", times=3)
    world.at_b.say("taken in when the store gives the peer again")
    world.run(1.5)
    assert world.at_a.view
    assert world.at_a.view.peers[0].link.reason == reason(LinkReason.UNREADABLE)
    world.run(5.0)  # the first pause is for the link, the next ones for reading
    pauses = [notice.params[0] for notice in world.notices()]
    assert pauses == ["1", "2", "4", "8"]
    assert world.texts(world.a, 1, mine=False) == []
    assert world.problems() == []
    assert world.texts(world.a, 1, mine=False) == ["taken in when the store gives the peer again"]
    assert link_count(world.at_a, 2) == before


def test_without_containment_an_exception_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.a.crash()
    world.a.contain = False
    world.a.up()
    world.run(3)
    fail_once(monkeypatch, Conversation, "_arrived")
    world.at_b.say("as in every other test")
    with pytest.raises(ZeroDivisionError):
        world.run(1)
