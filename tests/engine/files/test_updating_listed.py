"""Updates of folders with a listing: it comes first, then what differs."""

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_protocol.ipc.reasons import UpdateReason
from nightly import FIRST, SECOND, UNTIL, Nightly


@pytest.fixture
def nightly() -> Nightly:
    return Nightly()


KINDS = [(True, False), (False, True), (True, True)]
"""Whether the earlier state and the new one have listings."""


def send_kinds(nightly: Nightly, kinds: tuple[bool, bool]) -> None:
    """Up to where the second is offered."""
    nightly.a.process.many = {"proj"} if kinds[0] else set()
    nightly.send(FIRST)
    nightly.allow(FIRST)
    nightly.a.process.many = {"proj"} if kinds[1] else set()
    nightly.begin(SECOND)


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("on_link", [False, True])
def test_folders_of_many_files_are_updated_too(
    nightly: Nightly, kinds: tuple[bool, bool], on_link: bool
) -> None:
    if on_link:
        nightly.a.process.reachable = nightly.b.process.reachable = False
    discarded: list[pw.Discard] = []
    handle = nightly.b.process.handle

    def watch(request: pw.Request) -> None:
        if isinstance(request, pw.Discard) and request.manifest:
            discarded.append(request)
        handle(request)

    nightly.b.process.handle = watch  # type: ignore[method-assign]
    send_kinds(nightly, kinds)
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert nightly.reasons(SECOND) == ("", "")
    assert set(nightly.b.process.disk) == {"proj", UNTIL}
    assert {one.earlier.id for one in nightly.b.process.prepare} == {FIRST}
    assert len(nightly.b.process.prepare) == 1 + kinds[1], "a listing comes first"
    assert [one.id for one in discarded] == ([FIRST] if kinds[0] else [])


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("moves", range(14))
def test_with_listings_restarts_at_any_time_change_nothing(
    nightly: Nightly, kinds: tuple[bool, bool], moves: int
) -> None:
    send_kinds(nightly, kinds)
    for _ in range(moves):
        nightly.net.step(nightly.random)
        nightly.advance(0.05)
    nightly.b.restart()
    nightly.pair.link(True)
    nightly.run(lambda: nightly.pair.both("done", SECOND))
    assert set(nightly.b.process.disk) == {"proj", UNTIL}
    assert nightly.reasons(SECOND) == ("", "")


def test_a_list_that_arrived_where_the_earlier_folder_is_gone_is_removed_there(
    nightly: Nightly,
) -> None:
    nightly.a.process.many = {"proj"}
    nightly.begin(FIRST, auto=0)
    nightly.b.transfers.accept(FIRST, "/elsewhere", Now(nightly.b.clock, 1))
    nightly.run(lambda: nightly.pair.both("done", FIRST))
    nightly.allow(FIRST)
    discarded: list[str] = []
    handle = nightly.b.process.handle

    def watch(request: pw.Request) -> None:
        if isinstance(request, pw.Discard):
            discarded.append(request.folder)
        handle(request)

    nightly.b.process.handle = watch  # type: ignore[method-assign]
    nightly.b.process.prepared = b"", b"", UpdateReason.MOVED
    nightly.send(SECOND)
    assert nightly.reasons(SECOND) == (UpdateReason.MOVED,) * 2
    assert nightly.b.row(SECOND).path.startswith("/inbox/")
    assert discarded[0] == "/elsewhere"
