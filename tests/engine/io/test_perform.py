from collections.abc import Callable

from chatnet_engine.io.perform import perform
from chatnet_engine.node.effects import (
    CommitOps,
    CopySession,
    Publish,
    ReadHistory,
    ResolveHost,
    SendDatagrams,
    SendReply,
    SendToFileProcess,
    StopRunner,
    StretchInvite,
)
from chatnet_engine.store_ops.commit import Commit
from chatnet_protocol.ipc.commands import FetchHistory


class Recorder:
    """A world that writes down what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: self.calls.append((name, *args))


def test_every_effect_reaches_its_part_of_the_world() -> None:
    world = Recorder()
    ask, lookup = ReadHistory(1, FetchHistory()), ResolveHost(1, "host", 2)
    stretch = StretchInvite(1, b"secret")
    copy = CopySession("/backup", False)
    for effect in (
        CommitOps(Commit(1, [])),
        SendDatagrams([(b"d", ("::1", 1))]),
        Publish(b"E", b"frame"),
        SendReply(b"routing_id", b"frame"),
        SendToFileProcess(b"frame"),
        ask,
        lookup,
        stretch,
        copy,
        StopRunner("enough"),
    ):
        perform(effect, world)
    assert world.calls == [
        ("commit", Commit(1, [])),
        ("send_datagrams", [(b"d", ("::1", 1))]),
        ("publish", b"E", b"frame"),
        ("reply", b"routing_id", b"frame"),
        ("send_to_file_process", b"frame"),
        ("read_history", ask),
        ("resolve", lookup),
        ("stretch", stretch),
        ("copy_session", copy),
        ("stop", "enough"),
    ]
