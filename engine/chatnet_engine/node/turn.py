"""Owns what a turn asks of the world: transactions, events, answers and other effects."""

from dataclasses import dataclass

from chatnet_engine.node.commits import CommitQueue
from chatnet_engine.node.due_peers import DuePeers
from chatnet_engine.node.effects import Effect
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.replies import Replies


@dataclass(frozen=True, slots=True)
class Turn:
    """What every subject is given to speak through."""

    commits: CommitQueue
    publisher: Publisher
    replies: Replies
    effects: list[Effect]
    """Answers, and what no queue of its own holds, in their order."""
    due: DuePeers
    """Called by each handler of a peer's input."""
