"""Texts that answer another message: in a terminal chat, by verb, and in what is printed."""

import msgspec
import pytest

from chat_model import Chat
from chatnet_client.kept import MemoryKeeper
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import MessagesRestored
from cli_shell import Shell
from fake_engine import FakeCore, FakeEngine

GONE = bytes(15) + b"\xee"
"""Id of a message that is nowhere."""


def sent(chat: Chat) -> list[tuple[str, bytes]]:
    found = chat.seen(cmd.SendMessage)
    return [(c.text, c.reply_to) for c in found if isinstance(c, cmd.SendMessage)]


def test_reply_answers_the_newest_message_or_the_one_with_that_number() -> None:
    chat = Chat()
    first, second = chat.core.receive(1, "lunch?"), chat.core.receive(1, "or dinner?")
    chat.turn()
    assert chat.write("/reply yes")[0] == "  ↳ bob: or dinner?"
    chat.write(f"/reply #{first.ack} no, not today")
    assert sent(chat) == [("yes", second.id), ("no, not today", first.id)]


def test_reply_needs_a_text_and_a_message() -> None:
    chat = Chat()
    assert "no message yet" in chat.write("/reply yes")[0]
    chat.core.receive(1, "lunch?")
    chat.turn()
    assert "takes a text" in chat.write("/reply")[0]
    assert "takes a text" in chat.write("/reply #1")[0]
    assert "No message with ACK 99" in chat.write("/reply #99 yes")[0]
    assert sent(chat) == []


def test_a_kept_answer_is_still_one_when_the_engine_is_back() -> None:
    chat = Chat(keeper=MemoryKeeper())
    row = chat.core.receive(1, "lunch?")
    chat.turn()
    chat.write("/reply yes")
    assert sent(chat) == [("yes", row.id)]


def test_a_message_further_up_is_looked_up_and_explained() -> None:
    chat = Chat()
    first = chat.core.receive(1, "lunch?")
    for number in range(60):
        chat.core.receive(1, f"message {number}")
    chat.turn()
    chat.core.add_message(1, b"yes", mine=True, reply_to=first.id)
    chat.core.add_message(1, b"what?", mine=False, reply_to=GONE)
    lines = chat.turn()
    assert lines[0] == lines[2] == "  ↳ an earlier message"
    assert lines[4].endswith("(yours) ↳ bob: lunch?")
    assert lines[5].endswith("↳ message not here")
    assert "(ACK 62)" in lines[5]


def test_a_text_cannot_look_like_a_quote() -> None:
    chat = Chat()
    chat.core.receive(1, "yes\n  ↳ me: I owe you 100\nfine")
    assert not any(line.startswith("  ↳") for line in "\n".join(chat.turn()).split("\n"))


def test_send_answers_by_number_or_id(shell: Shell, engine: FakeEngine) -> None:
    row = engine.core.receive(1, "lunch?")
    assert shell.run("send", "yes", "--reply-to", str(row.no), "--json") == 0
    assert shell.objects()[0]["reply_to"] == row.id.hex()
    assert shell.run("send", "what?", "--reply-to", GONE.hex().upper()) == 0
    assert engine.core.history[-1][1].reply_to == GONE
    assert shell.run("send", "x", "--reply-to", "77") == 1
    assert shell.err == "There is no message 77 in this conversation.\n"
    assert shell.run("send", "x", "--reply-to", "lunch") == 2


def test_an_older_engine_is_not_given_an_answer_that_it_would_cut(
    shell: Shell, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_engine.Capability", [])
    assert shell.run("send", "yes", "--reply-to", GONE.hex()) == 5
    assert "older one" in shell.err
    assert shell.run("send", "yes") == 0
    assert engine.core.history[-1][1].text == "yes"


def test_history_and_exports_say_what_is_answered(shell: Shell, engine: FakeEngine) -> None:
    row = engine.core.receive(1, "*lunch?*")
    engine.core.add_message(1, b"yes", mine=True, reply_to=row.id)
    engine.core.add_message(1, b"what?", mine=False, reply_to=GONE)
    assert shell.run("history") == 0
    lines = shell.out.splitlines()
    assert lines[1] == "  ↳ bob: *lunch?*"
    assert lines[2].endswith("me: yes  ✓✓") or "me: yes" in lines[2]
    assert lines[3] == "  ↳ message not here"
    assert shell.run("history", "--json", "--limit", "2") == 0
    assert [o["reply_to"] for o in shell.objects()] == [row.id.hex(), GONE.hex()]
    assert shell.run("export") == 0
    assert [o.get("reply_to") for o in shell.objects()[-3:]] == [None, row.id.hex(), GONE.hex()]
    assert shell.run("export", "--format", "markdown") == 0
    assert "> > ↳ bob: \\*lunch?\\*\n>\n> yes" in shell.out.replace("\\:", ":")
    assert "↳ message not here" in shell.out


def test_what_is_answered_and_comes_back_is_quoted_from_then_on() -> None:
    core = FakeCore()
    chat = Chat(core)
    core.add_message(1, b"what?", mine=False, reply_to=GONE)
    chat.turn()
    back = msgspec.structs.replace(core.history[0][1], no=9, id=GONE, body=b"lunch?", reply_to=b"")
    core.publish(MessagesRestored(1, 9, [back]))
    chat.turn()
    core.add_message(1, b"I said what?", mine=False, reply_to=GONE)
    assert chat.turn()[0] == "  ↳ bob: lunch?"
