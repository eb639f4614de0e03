"""What each effect of the node asks of the world: the one translation, shared by the runner and
by a simulator.
"""

from typing import Protocol

from chatnet_engine.addresses import Addr
from chatnet_engine.node.effects import (
    CollectCounters,
    CommitOps,
    CopySession,
    Effect,
    LogProblem,
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
from chatnet_engine.trace import Trace


class World(Protocol):
    """Where effects land. No method returns a result: results arrive through `Node.handle_io`."""

    def send_datagrams(self, datagrams: list[tuple[bytes, Addr]]) -> None: ...
    def commit(self, commit: Commit) -> None: ...
    def publish(self, topic: bytes, frame: bytes) -> None: ...
    def reply(self, routing_id: bytes, frame: bytes) -> None: ...
    def read_history(self, ask: ReadHistory) -> None: ...
    def copy_session(self, ask: CopySession) -> None: ...
    def count(self, ask: CollectCounters) -> None: ...
    def resolve(self, ask: ResolveHost) -> None: ...
    def stretch(self, ask: StretchInvite) -> None: ...
    def send_to_file_process(self, frame: bytes) -> None: ...
    def log_problem(self, text: str) -> None: ...
    def trace(self, trace: Trace) -> None: ...
    def stop(self, reason: str) -> None: ...


def perform(effect: Effect, world: World) -> None:
    """Carry out one effect; the caller keeps their order."""
    match effect:
        case SendDatagrams(datagrams):
            world.send_datagrams(datagrams)
        case CommitOps(commit):
            world.commit(commit)
        case Publish(topic, frame):
            world.publish(topic, frame)
        case SendReply(routing_id, frame):
            world.reply(routing_id, frame)
        case SendToFileProcess(frame):
            world.send_to_file_process(frame)
        case ReadHistory():
            world.read_history(effect)
        case CopySession():
            world.copy_session(effect)
        case CollectCounters():
            world.count(effect)
        case ResolveHost():
            world.resolve(effect)
        case StretchInvite():
            world.stretch(effect)
        case LogProblem(text):
            world.log_problem(text)
        case Trace():
            world.trace(effect)
        case StopRunner(reason):
            world.stop(reason)
