"""Everything about one message: `/inspect` in a chat, `history --details` as a verb."""

from chat_model import Chat
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from cli_shell import Shell
from local_engine import LocalEngine


def test_the_newest_message_of_a_chat_is_inspected() -> None:
    chat = Chat()
    chat.world.peer_sends("hello")
    chat.turn()
    lines = chat.write("/inspect")
    assert "bob: hello" in lines[0]
    assert any(line.startswith("-- Arrived on ") for line in lines)
    assert "-- Arrivals: 1" in lines
    assert any(line.startswith("-- Packets: ") for line in lines)
    assert any(line.startswith("-- Read here: +") for line in lines)


def test_a_message_is_inspected_by_its_number_or_the_peers_ack_number() -> None:
    chat = Chat()
    row = chat.world.send("mine")
    chat.world.until(lambda: chat.world.peer().delivered_seq == row.seq)
    chat.world.peer_sends("theirs")
    chat.turn()
    own = chat.write(f"/inspect {row.no}")
    assert "me: mine" in own[0]
    assert "-- Stored on bob's computer" in own
    assert any(line.startswith("-- First sent: +") for line in own)
    assert any(line.startswith("-- Stored by bob: +") for line in own)
    assert "bob: theirs" in chat.write("/inspect #1")[0]
    assert chat.write("/inspect 99") == ["-- No message 99 is among the last ones."]


def test_what_is_not_remembered_is_not_made_up() -> None:
    chat = Chat()
    chat.world.peer_sends("hello")
    chat.turn()
    chat.world.instead[cmd.FetchDelivery] = CommandError(
        ErrorCode.UNKNOWN_COMMAND, "An old engine."
    )
    lines = chat.write("/inspect")
    assert "bob: hello" in lines[0]
    assert lines[-1].startswith("-- How it arrived is not known")
    assert not any("Packets" in line for line in lines)


def test_an_empty_conversation_has_nothing_to_inspect() -> None:
    assert Chat().write("/inspect") == ["-- There is no message yet."]


def test_the_details_of_a_message_by_a_verb(shell: Shell, local: LocalEngine) -> None:
    row = local.do(lambda world: world.peer_sends("hello"))
    assert shell.run("history", "--details", str(row.no)) == 0
    assert "bob: hello" in shell.out
    assert "Packets: " in shell.out
    assert shell.run("history", "--details", str(row.no), "--json") == 0
    (found,) = shell.objects()
    assert found["text"] == "hello"
    assert found["delivery"]["packets"][0]["at_ms"] > 0
    assert found["delivery"]["packet_count"] == 1
    assert shell.run("history", "--details", "99") == 1
    assert "There is no message 99 in the history." in shell.err
