"""What is asked of the file process about the space that receiving takes, and who is answered."""

from collections.abc import Sequence

import msgspec
import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files import space
from chatnet_engine.files.detail import Detail, Former, encode_detail
from chatnet_engine.files.space import BROKEN, NOT_NOW, OTHER
from chatnet_engine.files.space_wire import Earlier, Survey, Surveyed
from chatnet_engine.files.transfers import Act, Transfers
from chatnet_engine.files.update_wire import KeptFolder
from chatnet_engine.store_ops.commit import ReceivedListed
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.results import Space
from fake_files import World
from file_pair import ID

NOTHING = (ReceivedListed([]),)


def ask(
    transfers: Transfers, clean: bool = False, pages: Sequence[ReceivedListed] = NOTHING
) -> list[Survey]:
    """What the file process is asked for. `pages`: what the store has."""
    transfers.survey(clean=clean)
    for page in pages:
        assert transfers.surveys.take_search() is not None
        transfers.handle_listed(page)
    requests = map(pw.decode_request, transfers.take_process_frames())
    return [one for one in requests if isinstance(one, Survey)]


def answer(transfers: Transfers, space: Space | None) -> list[Space | CommandError]:
    transfers.handle_process(pw.encode(Surveyed(space)), Now(1.0, 1))
    return transfers.surveys.take()


def failed(results: list[Space | CommandError]) -> list[tuple[ErrorCode, str]]:
    return [(one.code, one.detail) for one in results if isinstance(one, CommandError)]


def ready() -> Transfers:
    world = World()
    world.settle()
    return world.b.transfers


def test_only_what_has_ended_is_left_over() -> None:
    world = World()
    world.pair.link(True)
    world.offer("a.txt", auto=0)
    transfers = world.b.transfers
    (survey,) = ask(transfers)
    assert survey == Survey([world.b.inbox], [], [], under_way=[ID])
    answer(transfers, Space())
    transfers.act(ID, Act.CANCEL, Now(world.b.clock, 1))
    (survey,) = ask(transfers)
    assert survey.ended == [], "nobody knows that after a crash"
    answer(transfers, Space())
    world.settle()
    (survey,) = ask(transfers, clean=True)
    assert survey == Survey([world.b.inbox], [ID], [], clean=True)
    assert ask(world.a.transfers)[0].ended == [], "a sender has no partial files"


def test_every_folder_in_use_is_looked_at() -> None:
    world = World()
    world.pair.link(True)
    world.offer("a.txt", auto=0)
    transfers = world.b.transfers
    transfers.accept(ID, "/elsewhere", Now(world.b.clock, 1))
    assert ask(transfers)[0].folders == [world.b.inbox, "/elsewhere"]


def test_one_survey_answers_all_who_asked_meanwhile() -> None:
    transfers = ready()
    assert len(ask(transfers, clean=True)) == 1
    assert ask(transfers, pages=()) == ask(transfers, clean=True, pages=()) == []
    assert answer(transfers, Space(1, 2)) == [Space(1, 2)]
    assert answer(transfers, Space()) == [], "nobody asked"
    assert len(ask(transfers)) == 1


def test_nothing_is_removed_for_somebody_who_only_looked() -> None:
    transfers = ready()
    ask(transfers)
    with pytest.raises(CommandError) as caught:
        ask(transfers, clean=True)
    assert (caught.value.code, caught.value.detail) == (ErrorCode.BUSY, OTHER)


def test_a_survey_that_fails_inside_says_so() -> None:
    transfers = ready()
    ask(transfers)
    assert failed(answer(transfers, None)) == [(ErrorCode.INTERNAL, BROKEN)]
    ask(transfers)
    assert transfers.handle_lost_report(pw.encode(Surveyed(Space()))) == []
    assert failed(transfers.surveys.take()) == [(ErrorCode.INTERNAL, BROKEN)]


def test_a_file_process_that_dies_leaves_nobody_waiting() -> None:
    transfers = ready()
    ask(transfers)
    transfers.handle_process_restarted(Now(1.0, 1))
    assert failed(transfers.surveys.take()) == [(ErrorCode.INTERNAL, BROKEN)]
    with pytest.raises(CommandError) as caught:
        ask(transfers)
    assert (caught.value.code, caught.value.detail) == (ErrorCode.BUSY, NOT_NOW)


def test_a_command_that_is_taken_back_can_be_asked_again() -> None:
    transfers = ready()
    mark = transfers.begin()
    transfers.survey(clean=False)
    transfers.roll_back(mark)
    assert transfers.take_process_frames() == []
    assert len(ask(transfers)) == 1


OLD, OLDER, OLDEST = b"1" * 16, b"2" * 16, b"3" * 16
KEPT = KeptFolder("proj (until then)", 7, 100, b"state")


def detail_of(folder: str, kept: Sequence[KeptFolder] = ()) -> bytes:
    return encode_detail(Detail("done", False, False, folder=folder, kept=list(kept)))


def test_transfers_that_are_not_in_memory_any_more_are_looked_at_too() -> None:
    transfers = ready()
    former = msgspec.msgpack.encode(Former("done", False, False, b"offer", folder="/c"))
    pages = [
        ReceivedListed([(OLD, detail_of("/a", [KEPT])), (b"?" * 16, b"damaged")], 9),
        ReceivedListed([(OLDER, detail_of("/a", [KEPT])), (OLDEST, former)]),
    ]
    (survey,) = ask(transfers, pages=pages)
    assert survey == Survey(
        [transfers.inbox, "/a", "/c"], [OLD, OLDER, OLDEST], [Earlier(OLD, "/a", KEPT)]
    )


def test_what_was_begun_again_is_not_left_over() -> None:
    world = World()
    world.pair.link(True)
    world.offer("a.txt", auto=0)
    page = ReceivedListed([(ID, detail_of("/a", [KEPT]))])
    (survey,) = ask(world.b.transfers, pages=[page])
    assert (survey.ended, survey.earlier, survey.under_way) == ([], [], [ID])


def test_only_so_many_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "MAX_LISTED", 1)
    transfers = ready()
    (survey,) = ask(transfers, pages=[ReceivedListed([(OLD, detail_of("/a"))], 9)])
    assert survey.ended == [OLD]
    assert transfers.surveys.take_search() is None


def test_a_page_for_nobody_is_dropped() -> None:
    transfers = ready()
    transfers.survey(clean=False)
    transfers.handle_process_restarted(Now(1.0, 1))
    transfers.handle_listed(ReceivedListed([]))
    assert transfers.take_process_frames() == []
