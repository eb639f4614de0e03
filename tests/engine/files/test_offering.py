"""From paths to an offer: what is refused, and what waits."""

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.offering import (
    LIST_WITHIN_S,
    MAX_ROOT_BYTES,
    MAX_WAITING_OFFERS,
    FailedOffer,
    Offering,
    ReadyOffer,
    digest_paths,
)
from chatnet_engine.files.outputs import Outputs
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.limits import MAX_FILES_IN_OFFER, MAX_PATH_COMPONENTS

ID = bytes(range(16))
AT = Now(10.0, 1)


@pytest.fixture
def out() -> Outputs:
    out = Outputs()
    out.ready = True
    return out


def listed(*paths: list[str]) -> pw.Scanned:
    return pw.Scanned(ID, [pw.ScannedFile(0, path, 5, 3_000_000_000) for path in paths])


def only(offering: Offering) -> ReadyOffer | FailedOffer:
    (result,) = offering.take()
    return result


def test_a_list_becomes_an_offer(out: Outputs) -> None:
    offering = Offering(out)
    offering.offer(ID, 1, ["/a"], AT)
    assert pw.decode_request(out.frames[0]) == pw.Scan(ID, ["/a"])
    assert offering.take() == []
    offering.handle_scanned(listed(["a", "x"], ["a", "y"]))
    ready = only(offering)
    assert isinstance(ready, ReadyOffer)
    offer = decode_offer(ready.body)
    assert [(f.path, f.size_bytes, f.modified_ms) for f in offer.files] == [
        (["a", "x"], 5, 3000),
        (["a", "y"], 5, 3000),
    ]
    made_from = offering.pop_listed(ID)
    assert made_from is not None
    assert made_from.roots == ["/a"]
    assert ready.store is not None
    assert ready.store.row.path == "/a"
    assert ready.store.given == digest_paths(["/a"]), "the same command after a restart is known"
    assert offering.pop_listed(ID) is None


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (pw.Scanned(ID, [], "file", "There is no such file."), ErrorCode.FILE),
        (listed(*[["x"]] * (MAX_FILES_IN_OFFER + 1)), ErrorCode.TOO_LARGE),
        (listed(*[["n" * 90]] * MAX_FILES_IN_OFFER), ErrorCode.TOO_LARGE),
        (listed(["d"] * (MAX_PATH_COMPONENTS + 1)), ErrorCode.TOO_LARGE),
    ],
    ids=["unreadable", "too many", "too long", "too deep"],
)
def test_what_cannot_be_offered_gives_a_sentence(
    out: Outputs, report: pw.Scanned, code: ErrorCode
) -> None:
    offering = Offering(out)
    offering.offer(ID, 1, ["/a"], AT)
    offering.handle_scanned(report)
    failed = only(offering)
    assert isinstance(failed, FailedOffer)
    assert failed.code is code
    assert failed.sentence.endswith(".")
    assert offering.next_timeout() is None


def test_so_many_wait_and_no_more(out: Outputs) -> None:
    offering = Offering(out)
    for number in range(MAX_WAITING_OFFERS):
        offering.offer(bytes([number]) * 16, 1, ["/a"], AT)
    assert offering.take() == []
    offering.offer(b"another offer id", 1, ["/a"], AT)
    failed = only(offering)
    assert isinstance(failed, FailedOffer)
    assert failed.code is ErrorCode.BUSY


def test_paths_have_to_fit_a_frame(out: Outputs) -> None:
    offering = Offering(out)
    offering.offer(ID, 1, ["/" + "a" * MAX_ROOT_BYTES], AT)
    failed = only(offering)
    assert isinstance(failed, FailedOffer)
    assert failed.code is ErrorCode.TOO_LARGE
    assert out.frames == []


def test_paths_may_fill_the_frame(out: Outputs) -> None:
    Offering(out).offer(ID, 1, ["/" + "a" * (MAX_ROOT_BYTES - 1)], AT)
    [frame] = out.frames
    assert frame


def test_a_new_process_is_asked_again_for_what_is_missing(out: Outputs) -> None:
    offering = Offering(out)
    offering.offer(ID, 1, ["/a"], AT)
    out.frames.clear()
    offering.handle_ready()
    assert len(out.frames) == 1
    offering.handle_scanned(listed(["x"]))
    out.frames.clear()
    offering.handle_ready()
    assert out.frames == []


def test_lists_that_come_twice_or_unasked_change_nothing(out: Outputs) -> None:
    offering = Offering(out)
    offering.handle_scanned(listed(["x"]))
    assert offering.take() == []
    offering.offer(ID, 1, ["/a"], AT)
    offering.handle_scanned(listed(["x"]))
    offering.handle_scanned(listed(["y"]))
    ready = only(offering)
    assert isinstance(ready, ReadyOffer)
    assert decode_offer(ready.body).files[0].path == ["x"]


def test_an_offer_that_failed_while_its_list_was_handled_is_not_made(out: Outputs) -> None:
    offering = Offering(out)
    offering.offer(ID, 1, ["/a"], AT)
    offering.handle_scanned(listed(["a"]))
    offering.handle_lost(ID)
    failed = only(offering)
    assert isinstance(failed, FailedOffer)
    assert failed.code == ErrorCode.INTERNAL
    offering.handle_lost(ID)
    assert not offering.waits


def test_an_offer_whose_command_is_taken_back_is_none(out: Outputs) -> None:
    offering = Offering(out)
    unit = out.begin()
    offering.offer(ID, 1, ["/a"], AT)
    out.roll_back(unit)
    assert offering.next_timeout() is None
    offering.offer(ID, 2, ["/b"], AT)
    assert [pw.decode_request(frame) for frame in out.frames] == [pw.Scan(ID, ["/b"])]


def test_an_offer_that_is_repeated_before_its_commit_is_stored_like_the_first(
    out: Outputs,
) -> None:
    offering = Offering(out)
    offering.offer(ID, 1, ["/a"], AT)
    offering.handle_scanned(listed(["a"]))
    first = only(offering)
    offering.offer(ID, 1, ["/a"], AT)
    again = only(offering)
    assert isinstance(first, ReadyOffer)
    assert isinstance(again, ReadyOffer)
    assert again.store == first.store != None  # noqa: E711


def test_what_nobody_commits_is_forgotten(out: Outputs) -> None:
    offering = Offering(out)
    offering.offer(ID, 1, ["/a"], AT)
    offering.handle_scanned(listed(["x"]))
    offering.take()
    assert offering.next_timeout() == AT.mono_s + LIST_WITHIN_S
    offering.handle_timeout(Now(AT.mono_s + LIST_WITHIN_S, 1))
    assert offering.take() == []
    assert offering.pop_listed(ID) is None
