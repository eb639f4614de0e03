"""Passes the store's results to subjects: each to the one that owns its type."""

from collections.abc import Mapping
from functools import partial

from chatnet_engine.clock import Now
from chatnet_engine.node.containment import Containment
from chatnet_engine.node.messaging.messaging import Messaging
from chatnet_engine.node.people.known_peers import KnownPeers
from chatnet_engine.node.people.people import People
from chatnet_engine.node.subject import ResultHandler
from chatnet_engine.node.turn import Turn
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import Done
from chatnet_protocol.ipc.events import notice
from chatnet_protocol.ipc.reasons import NoticeCode

STORE_FAILED = "The history cannot be written ({}); nothing was changed, try again later."


class StoreAnswers:
    """Routes results of commits. `results`: the subject's handler of each type."""

    def __init__(
        self,
        results: Mapping[type, ResultHandler],
        turn: Turn,
        known: KnownPeers,
        people: People,
        messaging: Messaging,
        contained: Containment,
    ) -> None:
        self._results = results
        self._turn = turn
        self._known = known
        self._people = people
        self._messaging = messaging
        self._contained = contained

    def handle_committed(self, done: c.Committed, now: Now) -> None:
        """Everything that waited for this transaction."""
        commits = self._turn.commits
        if commits.failing:
            self._turn.publisher.publish(notice("info", NoticeCode.STORE_WORKS))
        for result, waiting in commits.handle_committed(done):
            act = partial(self._results[type(result)], result, waiting, now)
            if not self._contained.result(result, waiting.op, now, act):
                self._answer_anyway(result, waiting)

    def _answer_anyway(self, result: c.OpResult, waiting: Waiting) -> None:
        """It is committed, though what follows from it failed here."""
        if isinstance(result, c.MessagesQueued):
            self._messaging.answer_queued(result, waiting)
            return
        if isinstance(result, c.TransfersLoaded):
            self._contained.fail(waiting.reply_to)
            return
        for reply_to in waiting.askers:
            self._turn.replies.reply(reply_to, Done())

    def handle_failed(self, failed: c.CommitFailed, now: Now) -> None:
        """The store does not work: tell people once, and everybody who waits."""
        turn = self._turn
        if failed.culprit >= 0:
            self._contained.operation(failed, now)
            return
        if not turn.commits.failing:
            turn.publisher.publish(notice("error", NoticeCode.STORE_FAILED, failed.reason))
        self._known.handle_failed()
        for waiting in turn.commits.handle_failed(failed, now):
            self._people.handle_dropped(waiting.op, now)
            for reply_to in waiting.askers:
                error = CommandError(ErrorCode.STORE, STORE_FAILED.format(failed.reason))
                turn.replies.fail(reply_to, error)
