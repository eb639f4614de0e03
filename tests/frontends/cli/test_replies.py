"""Texts that answer another message: in a terminal chat, by verb, and in what is printed."""

import pytest

from chat_model import Chat
from chatnet_client.kept import MemoryKeeper
from chatnet_engine.node.front_ends import front_ends
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import MessageRow, RestoreMine
from cli_shell import Shell
from local_engine import LocalEngine
from local_world import LocalWorld

GONE = bytes(15) + b"\xee"
"""Id of a message that is nowhere."""


def sent(chat: Chat) -> list[tuple[str, bytes]]:
    return [(c.text, c.reply_to) for c in chat.seen(cmd.SendMessage)]


def newest(local: LocalEngine) -> MessageRow:
    return local.do(lambda world: world.history[-1][1])


def test_reply_answers_the_newest_message_or_the_one_with_that_number() -> None:
    chat = Chat()
    first, second = chat.world.peer_sends_all(["lunch?", "or dinner?"])
    chat.turn()
    assert chat.write("/reply yes")[0] == "  ↳ bob: or dinner?"
    chat.write(f"/reply #{first.ack} no, not today")
    assert sent(chat) == [("yes", second.id), ("no, not today", first.id)]


def test_reply_needs_a_text_and_a_message() -> None:
    chat = Chat()
    assert "no message yet" in chat.write("/reply yes")[0]
    chat.world.peer_sends("lunch?")
    chat.turn()
    assert "takes a text" in chat.write("/reply")[0]
    assert "takes a text" in chat.write("/reply #1")[0]
    assert "No message with ACK 99" in chat.write("/reply #99 yes")[0]
    assert sent(chat) == []


def test_a_kept_answer_is_still_one_when_the_engine_is_back() -> None:
    chat = Chat(keeper=MemoryKeeper())
    row = chat.world.peer_sends("lunch?")
    chat.turn()
    chat.write("/reply yes")
    assert sent(chat) == [("yes", row.id)]


def test_a_message_further_up_is_looked_up_and_explained() -> None:
    chat = Chat()
    first = chat.world.peer_sends("lunch?")
    chat.world.peer_sends_all([f"message {number}" for number in range(60)])
    chat.turn()
    chat.world.send("yes", reply_to=first.id)
    chat.world.peer_sends("what?", reply_to=GONE)
    lines = chat.turn()
    assert lines[0] == lines[2] == "  ↳ an earlier message"
    assert lines[4].endswith("(yours) ↳ bob: lunch?")
    assert lines[5].endswith("↳ message not here")
    assert "(ACK 62)" in lines[5]


def test_a_text_cannot_look_like_a_quote() -> None:
    chat = Chat()
    chat.world.peer_sends("yes\n  ↳ me: I owe you 100\nfine")
    assert not any(line.startswith("  ↳") for line in "\n".join(chat.turn()).split("\n"))


def test_send_answers_by_number_or_id(shell: Shell, local: LocalEngine) -> None:
    row = local.do(lambda world: world.peer_sends("lunch?"))
    assert shell.run("send", "yes", "--reply-to", str(row.no), "--json") == 0
    assert shell.objects()[0]["reply_to"] == row.id.hex()
    assert shell.run("send", "what?", "--reply-to", GONE.hex().upper()) == 0
    assert newest(local).reply_to == GONE
    assert shell.run("send", "x", "--reply-to", "77") == 1
    assert shell.err == "There is no message 77 in this conversation.\n"
    assert shell.run("send", "x", "--reply-to", "lunch") == 2


def test_an_older_engine_is_not_given_an_answer_that_it_would_cut(
    shell: Shell, local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_ends, "Capability", [])
    assert shell.run("send", "yes", "--reply-to", GONE.hex()) == 5
    assert "older one" in shell.err
    assert shell.run("send", "yes") == 0
    assert newest(local).text == "yes"


def test_history_and_exports_say_what_is_answered(shell: Shell, local: LocalEngine) -> None:
    row = local.do(lambda world: world.peer_sends("*lunch?*"))
    local.do(lambda world: world.send("yes", reply_to=row.id))
    local.do(lambda world: world.until(lambda: world.peer().delivered_seq == 1))
    local.do(lambda world: world.peer_sends("what?", reply_to=GONE))
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
    world = LocalWorld()
    lunch = world.peer_sends("lunch?").id
    world.lose_history()
    chat = Chat(world)
    world.peer_sends("what?", reply_to=lunch)
    assert chat.turn()[-1].endswith("↳ message not here")
    world.window_asks(cmd.AskRestore(1))
    world.run(1)
    world.peer_asks(cmd.AnswerRestore(1, consent=True))
    world.until(lambda: world.peer().restore.mine == RestoreMine.DONE)
    chat.turn()
    world.peer_sends("I said what?", reply_to=lunch)
    assert chat.turn()[0] == "  ↳ bob: lunch?"
