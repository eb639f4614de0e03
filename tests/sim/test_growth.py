"""Attaching costs the same however long the history: no look into the store, a bounded snapshot."""

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.view import View
from simworld.pair import Pair


class Counted:
    """What a front end that attaches costs."""

    def __init__(self, pair: Pair, name: str) -> None:
        self.statements = 0
        pair.run(20)  # an older snapshot serves whoever comes within ten seconds
        pair.a.connection.set_trace_callback(self._count)
        client = pair.a.attach(name)
        pair.run(0.5)
        pair.a.connection.set_trace_callback(None)
        assert isinstance(client.view, View)
        self.last_no = client.view.last_no
        self.parts = [
            reply.result
            for reply in client.replies.values()
            if isinstance(reply.result, cmd.SnapshotPart)
        ]
        self.bytes = sum(len(part.data) for part in self.parts)

    def _count(self, sql: str) -> None:
        self.statements += 1


def test_a_front_end_attaches_without_touching_the_history() -> None:
    pair = Pair(31)
    found = []
    for count in (100, 900):
        for number in range(count):
            pair.at_a.say(f"{number:04d}")
        pair.settle(60)
        found.append(Counted(pair, f"late {count}"))
    short, long = found
    assert (short.last_no, long.last_no) == (100, 1000)
    assert short.statements == long.statements == 0
    assert len(short.parts) == len(long.parts) == 1
    assert long.bytes <= short.bytes * 1.3, "larger numbers have more digits"
