"""Updates of received folders: what is asked of whom, what is decided, and what both sides say."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.names import until_name
from chatnet_engine.files.offering import ONE_FOLDER, FailedOffer
from chatnet_engine.files.schedule import Schedule
from chatnet_engine.files.space_wire import Survey
from chatnet_engine.files.transfers import Act
from chatnet_engine.files.update_wire import KeptFolder
from chatnet_engine.files.updating import MAX_KEPT, kept_and_dropped
from chatnet_engine.store_ops.commit import FolderFound, StoredTransfer
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.ipc.offer import Offer, OfferedFile, decode_offer, encode_offer
from chatnet_protocol.ipc.reasons import TransferReason, UpdateReason, reason
from chatnet_protocol.ipc.rows import Compared
from file_pair import PEER
from nightly import FIRST, SECOND, THIRD, UNTIL, Nightly

FOURTH = bytes((4,)) * 16
FULL = reason(TransferReason.DISK_FULL, "/inbox")


@pytest.fixture
def nightly() -> Nightly:
    return Nightly()


def test_the_first_update_arrives_like_any_folder(nightly: Nightly) -> None:
    nightly.send(FIRST)
    assert nightly.reasons(FIRST) == ("", "")
    assert set(nightly.b.process.disk) == {"proj"}
    assert not nightly.b.process.prepare


def test_an_allowed_update_takes_the_earlier_ones_place(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    assert nightly.b.row(FIRST).updates_allowed
    nightly.send(SECOND)
    assert set(nightly.b.process.disk) == {"proj", UNTIL}
    assert nightly.reasons(SECOND) == ("", "")
    assert nightly.b.row(SECOND).path == "/inbox/proj"
    assert nightly.b.row(SECOND).updates_allowed, "it stays allowed"
    [kept] = nightly.kept(SECOND)
    assert (kept.name, kept.state) == (UNTIL, b"state")
    [prepare] = nightly.b.process.prepare
    assert prepare.earlier.name == "proj"
    assert len(prepare.earlier.digests) == 64


@pytest.mark.parametrize("steps", range(4))
def test_accepting_it_once_more_changes_nothing(nightly: Nightly, steps: int) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.begin(SECOND)
    for _ in range(steps):
        nightly.net.step(nightly.random)
    nightly.b.transfers.accept(SECOND, "", Now(nightly.b.clock, 1))
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert set(nightly.b.process.disk) == {"proj", UNTIL}


def test_what_is_not_allowed_arrives_beside_it(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.send(SECOND)
    assert set(nightly.b.process.disk) == {"proj", "proj (1)"}
    assert nightly.reasons(SECOND) == (UpdateReason.NOT_ALLOWED,) * 2
    assert not nightly.b.process.prepare


def test_it_can_be_allowed_with_the_question(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.begin(SECOND, auto=0)
    nightly.allow(SECOND)
    nightly.b.transfers.accept(SECOND, "", Now(nightly.b.clock, 1))
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert set(nightly.b.process.disk) == {"proj", UNTIL}


def test_allowing_it_while_it_waits_counts_for_it(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.b.process.reachable = nightly.a.process.reachable = False
    nightly.begin(SECOND)
    assert not nightly.b.process.prepare
    nightly.allow(FIRST)
    assert nightly.b.state(SECOND) == "waiting"
    assert nightly.b.process.prepare
    nightly.b.process.reachable = True
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert set(nightly.b.process.disk) == {"proj", UNTIL}


def test_taking_it_back_counts_until_it_is_complete(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.begin(SECOND)
    nightly.run(lambda: nightly.b.state(SECOND) == "active")
    nightly.allow(FIRST, False)
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert nightly.reasons(SECOND) == (UpdateReason.NOT_ALLOWED,) * 2
    assert not nightly.b.row(SECOND).updates_allowed
    assert set(nightly.b.process.disk) == {"proj", "proj (1)"}


def test_what_has_changed_there_is_not_replaced(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.b.process.prepared = b"\1", b"", UpdateReason.CHANGED
    nightly.send(SECOND)
    assert nightly.reasons(SECOND) == (UpdateReason.CHANGED,) * 2
    assert nightly.kept(SECOND) == []


def test_a_refusal_at_the_last_moment_is_published_too(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.b.process.refusal = UpdateReason.DISK
    nightly.send(SECOND)
    assert nightly.reasons(SECOND) == (UpdateReason.DISK,) * 2
    assert set(nightly.b.process.disk) == {"proj", "proj (1)"}


def test_another_chosen_folder_is_no_update(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.begin(SECOND, auto=0)
    nightly.b.transfers.accept(SECOND, "/elsewhere", Now(nightly.b.clock, 1))
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert nightly.reasons(SECOND) == (UpdateReason.MOVED,) * 2


def test_it_arrives_where_the_earlier_one_is(nightly: Nightly) -> None:
    nightly.begin(FIRST, auto=0)
    nightly.b.transfers.accept(FIRST, "/elsewhere", Now(nightly.b.clock, 1))
    nightly.run(lambda: nightly.pair.both("done", FIRST))
    nightly.allow(FIRST)
    nightly.send(SECOND)
    assert nightly.reasons(SECOND) == ("", "")
    assert nightly.b.row(SECOND).path == "/elsewhere/proj"


def test_where_the_earlier_one_is_gone_it_arrives_in_the_inbox(nightly: Nightly) -> None:
    nightly.begin(FIRST, auto=0)
    nightly.b.transfers.accept(FIRST, "/unplugged", Now(nightly.b.clock, 1))
    nightly.run(lambda: nightly.pair.both("done", FIRST))
    nightly.allow(FIRST)
    nightly.b.process.prepared = b"", b"", UpdateReason.MOVED
    nightly.send(SECOND)
    assert nightly.reasons(SECOND) == (UpdateReason.MOVED,) * 2
    assert nightly.b.row(SECOND).path.startswith("/inbox/")


def test_without_stored_digests_nothing_is_compared(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.b.digests.clear()
    nightly.send(SECOND)
    assert nightly.reasons(SECOND) == (UpdateReason.NOT_KNOWN,) * 2


def test_what_cannot_be_read_of_the_earlier_one_is_not_compared(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    stored = nightly.b.store[FIRST]
    nightly.b.store[FIRST] = StoredTransfer(stored.row, b"\xc1", listing=stored.listing)
    nightly.send(SECOND)
    assert nightly.reasons(SECOND) == (UpdateReason.NOT_KNOWN,) * 2


def test_a_folder_of_another_name_is_no_earlier_one(nightly: Nightly) -> None:
    nightly.a.process.folders["other"] = ["a.txt"]
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.begin(SECOND, name="other")
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert nightly.reasons(SECOND) == ("", "")
    assert set(nightly.b.process.disk) == {"proj", "other"}


@pytest.mark.parametrize("moves", range(12))
def test_restarts_at_any_time_change_nothing(nightly: Nightly, moves: int) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.begin(SECOND)
    for _ in range(moves):
        nightly.net.step(nightly.random)
        nightly.advance(0.05)
    nightly.b.restart()
    nightly.pair.link(True)
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert set(nightly.b.process.disk) == {"proj", UNTIL}
    assert nightly.reasons(SECOND) == ("", "")


@contextlib.contextmanager
def unprepared(
    nightly: Nightly, instead: Callable[[pw.Prepared], pw.Report | None] = lambda report: None
) -> Iterator[Callable[[pw.Report], None]]:
    """In this block comparing ends by another report, or by none. Gives what reports all others."""
    answer = nightly.b.process.report

    def changed(report: pw.Report) -> None:
        other = instead(report) if isinstance(report, pw.Prepared) else report
        if other is not None:
            answer(other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nightly.b.process, "report", changed)
        yield answer


def test_a_process_that_dies_while_it_prepares_is_asked_again(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    with unprepared(nightly):
        nightly.begin(SECOND)
        assert nightly.b.state(SECOND) == "waiting"
        assert nightly.b.row(SECOND).reason == reason(TransferReason.COMPARING)
    nightly.b.restart_process()
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert len(nightly.b.process.prepare) >= 2
    assert set(nightly.b.process.disk) == {"proj", UNTIL}


def test_both_sides_see_how_far_comparing_is(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    with unprepared(nightly) as answer:
        nightly.begin(SECOND)
        assert nightly.b.row(SECOND).compared is None
        [prepare] = nightly.b.process.prepare
        answer(pw.Comparing(prepare.job, 1, 2, 10, 20))
        nightly.settle()
        assert nightly.b.row(SECOND).compared == Compared(1, 2, 10, 20)
        assert nightly.a.row(SECOND).compared is None, "what is over in a moment needs no words"
        for _ in range(8):
            nightly.advance(1.0)
            nightly.settle()
        assert nightly.a.row(SECOND).reason == reason(TransferReason.PEER_COMPARING)
        assert nightly.a.row(SECOND).compared == Compared(1, 2, 10, 20)
        answer(pw.Comparing(prepare.job, 2, 2, 20, 20))
        nightly.settle()
        assert nightly.a.row(SECOND).compared == nightly.b.row(SECOND).compared
        nightly.a.transfers.act(SECOND, Act.PAUSE, Now(nightly.a.clock, 1))
        nightly.settle()
        nightly.a.transfers.act(SECOND, Act.RESUME, Now(nightly.a.clock, 1))
        nightly.settle()
        assert nightly.b.row(SECOND).compared is None, "it begins again"
    nightly.b.restart_process()
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert [side.row(SECOND).compared for side in (nightly.a, nightly.b)] == [None, None]


def test_an_answer_to_what_has_ended_changes_nothing(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.send(SECOND)
    before = nightly.b.row(SECOND)
    for transfer_id in (SECOND, THIRD):
        found = FolderFound(nightly.b.store[FIRST], bytes(64))
        nightly.b.transfers.handle_found(transfer_id, found, Now(nightly.b.clock, 1))
    nightly.settle()
    assert nightly.b.row(SECOND) == before


def test_it_waits_for_other_files_before_it_is_compared(
    nightly: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.begin(SECOND, auto=0)
    monkeypatch.setattr(Schedule, "may_start", lambda schedule, transfer: False)
    nightly.b.transfers.accept(SECOND, "", Now(nightly.b.clock, 1))
    nightly.advance(5.0)
    assert not nightly.b.process.prepare


def test_a_full_disk_while_it_prepares_is_tried_again(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    with unprepared(nightly, lambda report: pw.Ended(report.job, pw.Outcome.FULL, FULL)):
        nightly.begin(SECOND)
        assert nightly.b.row(SECOND).reason == FULL
    nightly.advance(40.0)
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert set(nightly.b.process.disk) == {"proj", UNTIL}


def test_a_cancel_between_names_says_what_was_begun(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    discarded: list[pw.Discard] = []
    handle = nightly.b.process.handle

    def watch(request: pw.Request) -> None:
        if isinstance(request, pw.Discard):
            discarded.append(request)
        elif not isinstance(request, pw.Place):
            handle(request)

    nightly.b.process.handle = watch  # type: ignore[method-assign]
    nightly.begin(SECOND)
    nightly.run(lambda: nightly.b.state(SECOND) == "verifying")
    nightly.b.transfers.handle_peer_forgotten(PEER, 0, 0, Now(nightly.b.clock, 1))
    nightly.settle()
    [last] = discarded
    assert last.exchange is not None
    assert (last.exchange.name, last.inode) == ("proj", nightly.b.process.inodes[SECOND, 0])


def test_fetched_again_it_is_compared_anew(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.send(SECOND)
    nightly.b.transfers.accept(SECOND, "", Now(nightly.b.clock, 1))
    nightly.settle()
    assert nightly.b.state(SECOND) != "done"
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert nightly.reasons(SECOND) == (UpdateReason.MOVED,) * 2


def test_only_a_received_folder_can_be_updated(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.offer("a.txt", transfer_id=THIRD)
    for side, transfer_id in ((nightly.a, FIRST), (nightly.b, THIRD), (nightly.b, bytes(16))):
        with pytest.raises(CommandError):
            side.transfers.allow_updates(transfer_id, True, Now(side.clock, 1))


def test_an_update_is_of_one_folder(nightly: Nightly) -> None:
    nightly.a.transfers.offer(FIRST, PEER, ["/home/a/a.txt"], Now(nightly.a.clock, 1), True)
    nightly.settle()
    assert nightly.a.offers == [FailedOffer(FIRST, ErrorCode.INVALID, ONE_FOLDER)]
    body = encode_offer(Offer([OfferedFile(["a.txt"], 1)], update=True))
    with pytest.raises(DecodeError):
        decode_offer(body)


def test_an_update_removes_the_states_that_do_not_stay(nightly: Nightly) -> None:
    dropped: list[list[KeptFolder]] = []
    handle = nightly.b.process.handle

    def watch(request: pw.Request) -> None:
        if isinstance(request, pw.Place) and request.exchange is not None:
            dropped.append(request.exchange.drop)
        handle(request)

    nightly.b.process.handle = watch  # type: ignore[method-assign]
    for transfer_id in (FIRST, SECOND, THIRD):
        nightly.send(transfer_id)
        nightly.allow(transfer_id)
    oldest = nightly.kept(SECOND)
    assert nightly.kept(THIRD)[1:] == oldest
    nightly.send(FOURTH)
    assert dropped == [[], [], oldest]


def sizes(states: Sequence[KeptFolder]) -> list[int]:
    return [state.size_bytes for state in states]


@pytest.mark.parametrize(
    ("given", "size_bytes", "kept"),
    [
        ([10], 10, [10]),
        ([10, 10], 10, [10, 10]),
        ([10, 10, 10], 10, [10, 10]),
        ([1, 1, 1, 1], 10, [1, 1, 1]),
        ([100], 1, [100]),
        ([100, 100, 1], 1, [100, 100]),
        ([5, 30, 1], 10, [5]),
    ],
)
def test_the_newest_states_stay_within_twice_the_size(
    given: list[int], size_bytes: int, kept: list[int]
) -> None:
    states = [KeptFolder(str(number), number, size, b"") for number, size in enumerate(given)]
    stay, drop = kept_and_dropped(states, size_bytes)
    assert stay + drop == states
    assert sizes(stay) == kept
    assert len(stay) <= MAX_KEPT


def test_the_name_of_an_earlier_state_fits() -> None:
    assert until_name("notes.old", "2026-11-30") == "notes.old (until 2026-11-30)"
    assert len(until_name("ü" * 127, "2026-11-30").encode()) <= 255


def test_earlier_states_are_surveyed_once_as_the_newest_update_has_them() -> None:
    world = Nightly()
    for transfer_id in (FIRST, SECOND, THIRD):
        world.send(transfer_id)
        world.allow(transfer_id)
    transfers = world.b.transfers
    transfers.survey(clean=True)
    transfers.handle_listed(world.b.list_received())
    (survey,) = map(pw.decode_request, transfers.take_process_frames())
    assert isinstance(survey, Survey)
    assert [one.kept for one in survey.earlier] == world.kept(THIRD)
    assert {one.folder for one in survey.earlier} == {world.b.inbox}
    assert survey.ended == [THIRD, SECOND, FIRST]
