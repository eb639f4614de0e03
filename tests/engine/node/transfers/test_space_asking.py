"""Commands about the space that receiving takes: who is answered, and when."""

import pytest

from chatnet_engine.files.space_wire import Survey
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.transfers.space_asking import MAX_SPACE_ASKERS
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from simworld.file_pair import FilePair


def asked(pair: FilePair) -> list[Survey]:
    assert pair.a.files
    return pair.a.files.process.surveys


def test_everybody_who_asks_is_answered() -> None:
    pair = FilePair(3)
    assert pair.a.files
    pair.a.files.process.space = cmd.Space(1, 2)
    numbers = [pair.at_a.ask(cmd.FetchSpace()), pair.at_a.ask(cmd.FetchSpace())]
    pair.run(1)
    assert [pair.at_a.replies[number].result for number in numbers] == [cmd.Space(1, 2)] * 2
    number = pair.at_a.ask(cmd.CleanUp())
    pair.run(1)
    assert pair.at_a.replies[number].result == cmd.Space(1, 2)
    assert [one.clean for one in asked(pair)][-1]


def test_a_file_process_that_is_not_there_is_a_reason() -> None:
    pair = FilePair(3)
    transfers = pair.a.node.transfers.transfers
    transfers.handle_process_restarted(pair.a.now)
    number = pair.at_a.ask(cmd.FetchSpace())
    pair.run(1)
    failure = pair.at_a.replies[number].failure
    assert failure
    assert failure.code == ErrorCode.BUSY


def test_a_disk_that_cannot_be_looked_at_is_a_reason_too() -> None:
    pair = FilePair(3)
    assert pair.a.files
    pair.a.files.process.space = None
    number = pair.at_a.ask(cmd.CleanUp())
    pair.run(1)
    failure = pair.at_a.replies[number].failure
    assert failure
    assert failure.code == ErrorCode.INTERNAL


def test_those_who_wait_are_limited() -> None:
    pair = FilePair(3)
    ask = pair.a.node.transfers.commands[cmd.FetchSpace]
    for number in range(MAX_SPACE_ASKERS):
        ask(cmd.FetchSpace(), ReplyTo(b"one", number), pair.a.now)
    with pytest.raises(CommandError) as caught:
        ask(cmd.FetchSpace(), ReplyTo(b"one", -1), pair.a.now)
    assert caught.value.code == ErrorCode.BUSY
