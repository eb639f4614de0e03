"""What is known of the messages that others answer."""

import msgspec
import pytest

import golden_vectors as golden
from chatnet_client import quotes as module
from chatnet_client.quotes import Quotes
from chatnet_client.words.messages import MAX_QUOTE_CHARACTERS, quote_words
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.events import (
    MessageFailed,
    MessagesAdded,
    MessagesRestored,
    PeerRemoved,
)
from chatnet_protocol.ipc.offer import Offer, OfferedFolder, encode_offer
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.limits import MAX_HISTORY_IDS


def row(no: int, reply_to: int = 0, **fields: object) -> MessageRow:
    made = msgspec.structs.replace(
        golden.OWN_ROW, no=no, id=bytes([no]) * 16, place=no, body=f"text {no}".encode()
    )
    return msgspec.structs.replace(
        made, **{"reply_to": bytes([reply_to]) * 16 if reply_to else b"", **fields}
    )


def answer_to(number: int) -> MessageRow:
    return msgspec.structs.replace(row(9), reply_to=number.to_bytes(16, "big"))


def page(*rows: MessageRow, more: bool = False) -> HistoryPage:
    return HistoryPage(list(rows), [1] * len(rows), more)


def asked(quotes: Quotes) -> list[bytes]:
    command = quotes.take_command()
    assert command is None or command == FetchHistory(1, ids=command.ids)
    return command.ids if command else []


def test_among_the_rows_at_hand_it_is_known_at_once() -> None:
    quotes = Quotes(1)
    quotes.want([row(1), row(2, 1), row(3)])
    assert quotes.find(row(2, 1)) == row(1)
    assert asked(quotes) == []


def test_another_is_asked_for_once() -> None:
    quotes = Quotes(1)
    quotes.want([row(5, 1), row(6, 2), row(7, 1)])
    assert not quotes.is_known(row(5, 1))
    assert asked(quotes) == [bytes([1]) * 16, bytes([2]) * 16]
    quotes.want([row(5, 1)])
    assert asked(quotes) == [], "the answer is not here yet"
    assert quotes.handle_page(page(row(2))) == {bytes([1]) * 16, bytes([2]) * 16}
    assert quotes.find(row(6, 2)) == row(2)
    assert quotes.find(row(5, 1)) is None
    assert quotes.is_known(row(5, 1))
    quotes.want([row(5, 1)])
    assert asked(quotes) == []


def test_what_comes_later_is_found_then_also_while_the_answer_is_on_its_way() -> None:
    quotes = Quotes(1)
    quotes.want([row(5, 1), row(6, 2)])
    asked(quotes)
    assert quotes.handle_event(MessagesRestored(1, 7, [row(1)])) == {bytes([1]) * 16}
    quotes.handle_page(page())
    assert quotes.find(row(5, 1)) == row(1)
    assert quotes.handle_event(MessagesAdded(2, 8, [row(2)])) == set()
    assert quotes.find(row(6, 2)) is None
    assert quotes.handle_event(MessagesAdded(1, 8, [row(2)])) == {bytes([2]) * 16}
    assert quotes.find(row(6, 2)) == row(2)


def test_a_withdrawn_one_is_not_here() -> None:
    quotes = Quotes(1)
    quotes.want([row(1), row(2, 1), row(3, 4), row(4, failed="withdrawn")])
    assert quotes.find(row(3, 4)) is None
    assert quotes.handle_event(MessageFailed(1, 1, "withdrawn")) == {bytes([1]) * 16}
    assert quotes.find(row(2, 1)) is None


def test_a_merge_and_a_reset_ask_anew() -> None:
    quotes = Quotes(1)
    quotes.want([row(5, 1)])
    asked(quotes)
    quotes.handle_page(page())
    assert quotes.handle_event(PeerRemoved(2, 1)) == {bytes([1]) * 16}
    quotes.want([row(5, 1)])
    assert asked(quotes) == [bytes([1]) * 16]


def test_no_answer_is_no_knowledge() -> None:
    quotes = Quotes(1)
    quotes.want([row(5, 1)])
    asked(quotes)
    assert quotes.handle_page(None) == set()
    assert not quotes.is_known(row(5, 1))
    quotes.want([row(5, 1)])
    assert asked(quotes) == [bytes([1]) * 16]


def test_a_cut_page_says_nothing_of_the_rest() -> None:
    quotes = Quotes(1)
    quotes.want([row(5, 1), row(6, 2)])
    asked(quotes)
    quotes.handle_page(page(row(1), more=True))
    assert quotes.is_known(row(5, 1))
    assert not quotes.is_known(row(6, 2))


def test_questions_and_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN", 150)
    quotes = Quotes(1)
    many = [answer_to(n) for n in range(1, MAX_HISTORY_IDS + 11)]
    quotes.want(many)
    assert len(asked(quotes)) == MAX_HISTORY_IDS
    quotes.handle_page(page())
    assert len(asked(quotes)) == 10
    quotes.handle_page(page())
    quotes.want([answer_to(n) for n in range(500, 590)])
    assert not quotes.is_known(many[0]), "all were forgotten"


def test_a_quote_is_one_short_line() -> None:
    assert quote_words(row(1, body=b" two\n\n lines ")) == "two lines"
    long = quote_words(row(1, body=b"x" * 65_536))
    assert long == "x" * MAX_QUOTE_CHARACTERS + "…"
    assert quote_words(golden.PEERS_ROW) == "plans and 1 more, 2 files"
    assert quote_words(row(1, kind=2, body=b"no offer")) == "A file"
    assert quote_words(row(1, kind=9)) == "A message that this version cannot show"


def test_a_folder_without_files_is_quoted_by_its_name() -> None:
    body = encode_offer(Offer([], folders=[OfferedFolder(["proj"])]))
    assert quote_words(row(1, kind=2, body=body)) == "proj, folder, 0 files"
