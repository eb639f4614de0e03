"""Pages in both directions over normal and restored rows, search, and the bounds of a page."""

import random
import re
from typing import Any

import pytest

from chatnet_engine.ledger import pages
from chatnet_engine.ledger.history import MAX_SEARCH_CHARACTERS, ROW_BYTES, History
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.offer import (
    ListedThing,
    Offer,
    OfferedFile,
    OfferedListing,
    encode_offer,
)
from chatnet_protocol.ipc.rows import AckRange, MessageRow
from chatnet_protocol.ipc.view import screen_order
from chatnet_protocol.limits import (
    MAX_HISTORY_BYTES,
    MAX_HISTORY_IDS,
    MAX_HISTORY_ROWS,
    MAX_INTEGER,
)
from simworld.ledger_harness import LedgerHarness, arrived, message_id, texts


def harness_of(*bodies: bytes) -> LedgerHarness:
    harness = LedgerHarness()
    harness.add_peer()
    harness.queue(1, [c.NewMessage(message_id(n), 1, body, 1) for n, body in enumerate(bodies, 1)])
    return harness


def mixed_harness() -> LedgerHarness:
    """Two conversations; some rows restored, several at one place."""
    harness = LedgerHarness()
    rng = random.Random(5)
    for peer in (1, 2):
        harness.add_peer(bytes([peer]) * 32)
        harness.hello(peer, 7)
    for step in range(30):
        peer = rng.choice((1, 2))
        if rng.random() < 0.5:
            harness.queue(peer, texts(step * 10, step * 10 + 1))
        else:
            mark = harness.state(peer).mark
            rows = arrived(step * 10, step * 10 + 1, lamport=harness.state(peer).lamport + 1)
            harness.accept(peer, 7, mark + 1, rows)
    for no in rng.sample(range(20, 60), 15):
        harness.connection.execute(
            "UPDATE messages SET place = ?, lamport = ? WHERE no = ?",
            (rng.choice((0, 0, 3, 9)), rng.randrange(1, 6), no),
        )
    return harness


def page(harness: LedgerHarness, **query: Any) -> HistoryPage:
    return History(harness.connection).page(FetchHistory(**query))


def walk_back(harness: LedgerHarness, peer: int, limit: int) -> list[MessageRow]:
    rows: list[MessageRow] = []
    place = no = 0
    for _ in range(100):
        found = page(harness, peer=peer, before_place=place, before_no=no, limit=limit)
        rows += found.rows
        if not found.more:
            return rows
        place, no = found.rows[-1].place, found.rows[-1].no
    raise AssertionError("paging does not end")


@pytest.mark.parametrize("peer", [0, 1, 2])
@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_pages_backwards_are_the_whole_history_in_screen_order(peer: int, limit: int) -> None:
    harness = mixed_harness()
    everything = walk_back(harness, peer, 256)
    assert walk_back(harness, peer, limit) == everything
    assert everything == sorted(everything, key=screen_order, reverse=True)
    whose = dict(harness.connection.execute("SELECT no, peer FROM messages"))
    wanted = {row.no for row in harness.history() if peer in (0, whose[row.no])}
    assert {row.no for row in everything} == wanted


@pytest.mark.parametrize("peer", [0, 1, 2])
def test_pages_forwards_follow_the_durable_numbers(peer: int) -> None:
    harness = mixed_harness()
    whose = dict(harness.connection.execute("SELECT no, peer FROM messages"))
    wanted = [row for row in harness.history() if peer in (0, whose[row.no])]
    rows: list[MessageRow] = []
    more = True
    while more:
        found = page(harness, peer=peer, after_no=rows[-1].no if rows else 0, limit=7)
        rows += found.rows
        more = found.more
        assert found.peers == [whose[row.no] for row in found.rows]
    assert rows == wanted


def test_a_page_has_the_ack_numbers_of_own_messages() -> None:
    harness = harness_of(b"a", b"b")
    harness.do(c.StoreReceipts(1, [AckRange(1, 40, 1)]))
    assert [row.ack for row in page(harness).rows] == [0, 40]


def test_an_empty_history_has_an_empty_page() -> None:
    assert page(LedgerHarness()) == HistoryPage([], [], False)
    assert page(LedgerHarness(), after_no=5, search="ü") == HistoryPage([], [], False)


def test_a_page_holds_no_more_rows_than_allowed() -> None:
    harness = harness_of(*[b"x"] * (MAX_HISTORY_ROWS + 1))
    found = page(harness, limit=10_000)
    assert (len(found.rows), found.more) == (MAX_HISTORY_ROWS, True)
    found = page(harness, limit=10_000, after_no=1)
    assert (len(found.rows), found.more) == (MAX_HISTORY_ROWS, False)


def test_a_page_holds_no_more_bytes_than_allowed() -> None:
    body = b"x" * (MAX_HISTORY_BYTES // 4)
    found = page(harness_of(body, body, body, body, body))
    assert (len(found.rows), found.more) == (3, True)
    assert sum(len(row.body) + ROW_BYTES for row in found.rows) <= MAX_HISTORY_BYTES
    body = b"x" * (MAX_HISTORY_BYTES // 4 - ROW_BYTES)
    found = page(harness_of(body, body, body, body, body))
    assert (len(found.rows), found.more) == (4, True), "exactly as many"


def test_one_row_comes_however_large() -> None:
    body = b"x" * (MAX_HISTORY_BYTES + 1)
    found = page(harness_of(body, body), after_no=0)
    assert ([row.no for row in found.rows], found.more) == ([1], True)


@pytest.mark.parametrize(
    ("search", "hits"),
    [
        ("hello", [1, 2]),
        ("HELLO w", [1]),
        ("100%", [3]),
        ("_", [4]),
        ("\\", [4]),
        ("größe", [5, 6]),
        ("GRÖSS", []),
        ("日本", [7]),
        ("grösse", []),
        ("nothing", []),
    ],
)
@pytest.mark.parametrize("forwards", [True, False])
def test_search_ignores_case_and_knows_no_wildcards(
    search: str, hits: list[int], forwards: bool
) -> None:
    bodies = ("Hello World", "hello", "100% sure", "a_b\\c", "Die Größe", "GRÖßE", "in 日本 now")
    harness = harness_of(*(body.encode() for body in bodies))
    found = page(harness, search=search, after_no=0 if forwards else None, limit=50)
    rows = found.rows if forwards else found.rows[::-1]
    assert [row.no for row in rows] == hits


@pytest.mark.parametrize(
    ("search", "hits"),
    [
        ("word", [1]),
        ("REPORT.pdf", [2]),
        ("docs/r", [2]),
        ("GRÖSSE", []),
        ("größe", [2]),
        ("ß.TXT", []),
    ],
)
@pytest.mark.parametrize("forwards", [True, False])
def test_search_looks_into_texts_and_the_names_of_offered_files(
    search: str, hits: list[int], forwards: bool
) -> None:
    harness = harness_of(b"word")
    paths = [["docs", "Report.pdf"], ["Größe.txt"]]
    offer = encode_offer(Offer([OfferedFile(path, 0, 7) for path in paths]))
    harness.queue(1, [c.NewMessage(message_id(8), 2, offer, 1)])
    harness.queue(1, [c.NewMessage(message_id(9), 2, b"no offer, but word", 1)])
    found = page(harness, search=search, after_no=0 if forwards else None)
    assert [row.no for row in found.rows] == hits


def test_search_looks_into_the_names_of_listed_things() -> None:
    harness = harness_of(b"word")
    things = [ListedThing("Holiday 2024", 20_000, 9, 3), ListedThing("notes.txt", 1, 5)]
    offer = encode_offer(Offer([], listing=OfferedListing(bytes(32), 9, things)))
    harness.queue(1, [c.NewMessage(message_id(8), 2, offer, 1)])
    assert [row.body for row in page(harness, search="holiday").rows] == [offer]


@pytest.mark.parametrize("forwards", [True, False])
def test_search_goes_on_behind_what_only_looked_alike(forwards: bool) -> None:
    bodies = ["äx" if n % 40 == 0 else "öx" for n in range(400)]
    harness = harness_of(*(body.encode() for body in bodies))
    found = page(harness, search="Äx", after_no=0 if forwards else None, limit=5)
    numbers = [row.no for row in found.rows]
    assert numbers == ([1, 41, 81, 121, 161] if forwards else [361, 321, 281, 241, 201])
    assert found.more
    rest = page(harness, search="Äx", after_no=361, limit=5)
    assert (rest.rows, rest.more) == ([], False)


@pytest.mark.parametrize("peer", [0, 1, 2])
@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_pages_onwards_are_the_rest_of_the_history_in_screen_order(peer: int, limit: int) -> None:
    harness = mixed_harness()
    everything = list(reversed(walk_back(harness, peer, 256)))
    for start in (0, 3, len(everything) - 1):
        at = everything[start]
        rows: list[MessageRow] = []
        more = True
        while more:
            last = rows[-1] if rows else at
            found = page(harness, peer=peer, after_place=last.place, after_no=last.no, limit=limit)
            rows += found.rows
            more = found.more
        assert rows == everything[start + 1 :]


def test_onwards_finds_texts_and_takes_a_cursor_that_is_gone() -> None:
    harness = harness_of(b"a", b"\xc3\xa4", b"b", b"\xc3\x84")
    assert [row.no for row in page(harness, after_place=0, search="\xe4", limit=1).rows] == [2]
    assert [row.no for row in page(harness, after_place=2, after_no=2, search="\xe4").rows] == [4]
    assert [row.no for row in page(harness, after_place=3, after_no=99).rows] == [3, 4]
    assert [row.no for row in page(harness, after_place=1).rows] == [1, 2, 3, 4]
    assert [row.no for row in page(harness, after_place=3, after_no=0).rows] == [3, 4]


def test_numbers_that_no_message_can_have_lead_to_the_ends() -> None:
    harness = harness_of(b"a", b"b")
    top = MAX_INTEGER
    assert page(harness, peer=top).rows == []
    assert page(harness, after_no=top).rows == []
    assert page(harness, after_place=top, after_no=top).rows == []
    assert len(page(harness, before_place=top, before_no=top, limit=top).rows) == 2
    assert page(harness, before_place=-top).rows == []
    assert len(page(harness, after_place=-top).rows) == 2


def test_a_search_reads_no_more_than_its_page_can_hold() -> None:
    body = ("ä" + "x" * (MAX_HISTORY_BYTES // 2)).encode()
    harness = harness_of(*[body] * 6)
    asked: list[str] = []
    harness.connection.set_trace_callback(asked.append)
    page(harness, search="ä", after_no=0)
    assert len(asked) == 1


def test_a_search_reads_on_behind_one_large_hit_to_see_whether_there_are_more() -> None:
    large = ("x" * MAX_HISTORY_BYTES).encode()
    found = page(
        harness_of(large + "ä".encode(), "ö".encode(), "ä".encode()), search="ä", after_no=0
    )
    assert ([row.no for row in found.rows], found.more) == ([1], True)


def test_a_search_page_is_bounded_in_bytes() -> None:
    body = ("ä" + "x" * (MAX_HISTORY_BYTES // 2)).encode()
    found = page(harness_of(body, body, body), search="Ä")
    assert (len(found.rows), found.more) == (1, True)


def test_a_cursor_that_is_gone_still_gives_what_was_before_it() -> None:
    harness = harness_of(b"a", b"b", b"c")
    assert [row.no for row in page(harness, before_place=3, before_no=99).rows] == [2, 1]
    assert page(harness, before_place=5, before_no=2).rows[0].no == 3


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": 0}, ErrorCode.INVALID),
        ({"limit": -5}, ErrorCode.INVALID),
        ({"search": "x" * (MAX_SEARCH_CHARACTERS + 1)}, ErrorCode.TOO_LARGE),
    ],
)
def test_a_query_without_sense_is_refused_in_a_sentence_for_people(
    query: dict[str, int | str], code: ErrorCode
) -> None:
    with pytest.raises(CommandError) as refused:
        page(LedgerHarness(), **query)
    assert refused.value.code == code
    assert re.fullmatch(r"[A-Z][a-z ]+\.", str(refused.value))


def test_the_longest_search_is_possible() -> None:
    assert page(harness_of(b"a"), search="%" * MAX_SEARCH_CHARACTERS).rows == []
    assert page(harness_of(b"a"), search="ü" * MAX_SEARCH_CHARACTERS).rows == []


def test_a_tail_is_cut_like_a_view() -> None:
    harness = harness_of(*[b"x" * 5000] * 60)
    assert pages.tail(harness.connection, 1) == harness.view.peers[0].messages
    assert len(harness.view.peers[0].messages) == 13


def test_what_is_read_ends_with_the_row_that_passes_its_bytes() -> None:
    harness = harness_of(*[b"0123456789"] * 6)
    for max_bytes, count in ((25, 3), (29, 3), (30, 4), (0, 2)):
        which = pages.Slice(1, 100, max_bytes)
        assert len(pages.forwards(harness.connection, which, 0)) == count
        assert len(pages.backwards(harness.connection, which, pages.END)) == count


def test_messages_are_found_by_their_ids_in_screen_order() -> None:
    harness = mixed_harness()
    everything = walk_back(harness, 1, 256)[::-1]
    wanted = [everything[9], everything[2], everything[5]]
    found = page(harness, peer=1, ids=[row.id for row in wanted], search="no such text")
    assert found.rows == [everything[2], everything[5], everything[9]]
    assert not found.more
    assert page(harness, peer=2, ids=[row.id for row in wanted]).rows == []


def test_a_page_names_at_most_so_many_ids() -> None:
    harness = harness_of(b"one")
    page(harness, ids=[message_id(1)] * MAX_HISTORY_IDS)
    with pytest.raises(CommandError, match=str(MAX_HISTORY_IDS)) as caught:
        page(harness, ids=[message_id(1)] * (MAX_HISTORY_IDS + 1))
    assert caught.value.code == ErrorCode.INVALID
