"""Owns the replies to commands: those that leave in this turn, and those already sent.

A command that changes something is handled once: a repeat under its id gets the same reply.
"""

from collections import OrderedDict

from chatnet_engine.node.effects import Effect, ReplyTo, SendReply
from chatnet_protocol import codec
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.commands import READ_ONLY_COMMANDS, Command, Result
from chatnet_protocol.ipc.envelope import Failure, Reply
from chatnet_protocol.limits import MAX_RESULTS_KEPT


class Replies:
    """Pending and kept replies. `effects`: the turn's list, to which replies are added."""

    def __init__(self, effects: list[Effect]) -> None:
        self._effects = effects
        self._given: OrderedDict[ReplyTo, bytes | None] = OrderedDict()

    def begin(self, reply_to: ReplyTo, command: Command) -> tuple[bool, bytes | None]:
        """Note that a command is being done: (is it new?, the answer given before if not).

        Questions are simply answered again.
        """
        if isinstance(command, READ_ONLY_COMMANDS):
            return True, None
        if reply_to in self._given:
            return False, self._given[reply_to]
        self._given[reply_to] = None
        while len(self._given) > MAX_RESULTS_KEPT:
            self._given.popitem(last=False)
        return True, None

    def reply(self, reply_to: ReplyTo | None, result: Result) -> None:
        """Answer a command."""
        if reply_to:
            self._send(reply_to, Reply(reply_to.request, None, result))

    def fail(self, reply_to: ReplyTo | None, error: CommandError) -> None:
        """Answer a command with an error."""
        if reply_to:
            failure = Failure(error.code, error.detail)
            self._send(reply_to, Reply(reply_to.request, failure, None))

    def resend(self, reply_to: ReplyTo, frame: bytes) -> None:
        """Give an answer again."""
        self._effects.append(SendReply(reply_to.routing_id, frame))

    def answer_garbled(self, routing_id: bytes, reply: Reply) -> None:
        """Answer a request that could not be read."""
        self._effects.append(SendReply(routing_id, codec.pack(reply)))

    def _send(self, reply_to: ReplyTo, reply: Reply) -> None:
        frame = codec.pack(reply)
        if reply_to in self._given:
            self._given[reply_to] = frame
        self._effects.append(SendReply(reply_to.routing_id, frame))
