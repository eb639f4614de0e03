"""What becomes of a message that cannot go: it waits; only a person ends that."""

from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc import commands as cmd
from checker.histories import read
from simworld.pair import B, Pair


def test_what_waited_for_a_removed_peer_is_kept_and_never_sent() -> None:
    pair = Pair(21)
    pair.at_a.say("before")
    pair.settle(5)
    pair.b.crash()
    pair.run(20)
    pair.at_a.say("waits")
    pair.run(1)
    pair.at_a.ask(cmd.RemovePeer(1))
    pair.run(1)
    pair.b.up()
    pair.at_a.ask(cmd.AddPeer(*B))
    pair.run(5)
    pair.at_a.say("after", peer=2)
    pair.run(10)
    assert pair.at_a.unanswered == {}
    got = [message.body for message in read(pair.b.connection).messages]
    assert got == [b"before", b"after"]
    own = read(pair.a.connection).messages
    assert [(message.body, message.failed) for message in own] == [
        (b"before", ""), (b"waits", ""), (b"after", ""),
    ]  # fmt: skip


def test_a_text_that_the_own_disk_does_not_take_was_never_there() -> None:
    pair = Pair(22)
    pair.settle(5)
    pair.a.disk.failing = "full"
    asked = pair.at_a.ask_text("too much")
    pair.run(1)
    failure = pair.at_a.replies[asked].failure
    assert failure
    assert failure.code == ErrorCode.STORE
    pair.a.disk.failing = ""
    pair.run(30)
    for engine in (pair.a, pair.b):
        assert read(engine.connection).messages == []
