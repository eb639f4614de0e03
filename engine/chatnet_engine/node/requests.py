"""Handles a front end's request: decode, handle once, pass to the owning subject, reply."""

from collections.abc import Mapping, Sequence
from functools import partial

from chatnet_engine.clock import Now
from chatnet_engine.node.containment import Containment
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.front_ends.clients import Clients
from chatnet_engine.node.left_out import LeftOut
from chatnet_engine.node.replies import Replies
from chatnet_engine.node.subject import CommandHandler
from chatnet_protocol.errors import CommandError, DecodeError
from chatnet_protocol.ipc.commands import Command
from chatnet_protocol.ipc.envelope import Request, answer_garbled, decode_request


class Requests:
    """Decodes and routes requests. `commands`: the subject's handler of each type."""

    def __init__(
        self,
        commands: Mapping[type, CommandHandler],
        clients: Clients,
        left_out: LeftOut,
        replies: Replies,
        contained: Containment,
    ) -> None:
        self._commands = commands
        self._clients = clients
        self._left_out = left_out
        self._replies = replies
        self._contained = contained

    def handle(self, routing_id: bytes, frames: Sequence[bytes], now: Now) -> None:
        """The frames of one message on the ROUTER socket, without the routing id."""
        request = self._decode(routing_id, frames)
        if request is None:
            return
        command, reply_to = request.command, ReplyTo(routing_id, request.id)
        new, answer = self._replies.begin(reply_to, command)
        if not new:
            if answer is not None:
                self._replies.resend(reply_to, answer)
            return
        try:
            self._clients.check(routing_id, command, now)
            self._contained.command(command, now, partial(self._do, command, reply_to, now))
        except CommandError as error:
            self._replies.fail(reply_to, error)

    def _do(self, command: Command, reply_to: ReplyTo, now: Now) -> None:
        self._left_out.check(command)
        self._commands[type(command)](command, reply_to, now)

    def _decode(self, routing_id: bytes, frames: Sequence[bytes]) -> Request | None:
        if len(frames) != 1:
            return None
        try:
            return decode_request(frames[0])
        except DecodeError as error:
            self._replies.answer_garbled(routing_id, answer_garbled(frames[0], error))
            return None
