"""What is typed in a terminal chat while the engine is away."""

import errno

from chat_model import Chat
from chatnet_client.client_events import Cause, EngineLost, Outage
from chatnet_client.kept import MemoryKeeper
from chatnet_client.kept_records import KeptText
from chatnet_protocol.ipc import commands as cmd

AWAY = EngineLost("The engine is not running.", Outage(Cause.STOPPED, command="chatnet engine 1"))


class Keeper(MemoryKeeper):
    """Remembers, fails when it is told to, and finds what others left."""

    def __init__(self) -> None:
        self.kept: dict[bytes, KeptText] = {}
        self.full = False
        self.left: list[KeptText] = []

    def append(self, text: KeptText) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.kept[text.id] = text

    def remove(self, text_id: bytes) -> None:
        del self.kept[text_id]

    def adopt(self) -> list[KeptText]:
        adopted, self.left = self.left, []
        self.kept |= {text.id: text for text in adopted}
        return adopted


def away(chat: Chat) -> None:
    chat.engine_dies(AWAY)


def back(chat: Chat) -> list[str]:
    return chat.engine_returns() + chat.turn()


def test_a_text_is_kept_until_it_is_durable_and_printed_once() -> None:
    keeper = Keeper()
    chat = Chat(keeper=keeper)
    lines = chat.write("hello")
    assert [line for line in lines if "hello" in line] == lines
    assert len(lines) == 1
    assert not keeper.kept
    assert len(chat.seen(cmd.SendMessage)) == 1


def test_what_is_written_without_an_engine_waits_visibly_and_goes_in_order() -> None:
    keeper = Keeper()
    chat = Chat(keeper=keeper)
    away(chat)
    assert chat.write("one") == ["-- waiting for the engine: one"]
    assert chat.write("two") == ["-- waiting for the engine: two"]
    assert [text.text for text in keeper.kept.values()] == ["one", "two"]
    lines = back(chat)
    sent = [command.text for command in chat.seen(cmd.SendMessage)]
    assert sent == ["one", "two"]
    assert sum("two" in line for line in lines) == 1
    assert not keeper.kept


def test_a_text_that_waits_can_be_taken_back_into_the_line() -> None:
    keeper = Keeper()
    chat = Chat(keeper=keeper)
    away(chat)
    chat.write("one")
    chat.write("two")
    chat.write("/withdraw")
    assert chat.model.take_input() == "two"
    assert [text.text for text in keeper.kept.values()] == ["one"]
    back(chat)
    assert [m.text for m in chat.seen(cmd.SendMessage)] == ["one"]


def test_a_full_disk_leaves_the_text_in_the_line() -> None:
    keeper = Keeper()
    chat = Chat(keeper=keeper)
    keeper.full = True
    lines = chat.write("hello")
    assert "No space left on device" in lines[0]
    assert chat.model.take_input() == "hello"
    assert not chat.seen(cmd.SendMessage)


def test_what_can_no_longer_be_sent_is_printed_with_its_content() -> None:
    keeper = Keeper()
    keeper.left = [KeptText(bytes(15) + b"\x01", 77, "to \x1bnobody", 5)]
    chat = Chat(keeper=keeper)
    lines = [*chat.first_lines, *chat.turn()]
    (line,) = [line for line in lines if "not sent" in line]
    assert "to \\x1bnobody" in line
    assert list(keeper.kept) == [bytes(15) + b"\x01"]


def test_what_a_chat_that_died_had_not_handed_over_is_sent() -> None:
    keeper = Keeper()
    keeper.left = [KeptText(bytes(15) + b"\x01", 1, "from before", 5)]
    chat = Chat(keeper=keeper)
    chat.turn()
    (command,) = chat.seen(cmd.SendMessage)
    assert command == cmd.SendMessage(bytes(15) + b"\x01", 1, "from before", 0, 5)
    assert not keeper.kept
