"""Takes frames in: reassembles, orders and hands over what the peer sent.

Owns the receiving channels, the peer's HELLO and states, and the events not taken yet. It does not
know when or in what packets answers leave.
"""

from chatnet_engine.arq.channel_in import ReceiveChannel
from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.control import ChannelReceipts
from chatnet_engine.arq.events import (
    Event,
    HelloArrived,
    MessagesArrived,
    StateArrived,
)
from chatnet_engine.arq.held import Held, HeldTotal
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.limits import MAX_STATES, MESSAGE_OVERHEAD_BYTES
from chatnet_protocol.wire import frames


class Receiver:
    """What arrived from the peer and has not been taken by the caller."""

    def __init__(self, config: ArqConfig, receipts: ChannelReceipts, held_total: HeldTotal) -> None:
        self._config = config
        self._receipts = receipts
        self._hello: bytes | None = None
        self._states: dict[int, tuple[int, bytes]] = {}
        self._fresh_states: dict[int, bytes] = {}
        self._hello_is_fresh = False
        self.held = Held(config.window_bytes + config.bulk_window_bytes, held_total)
        """Beyond it only the next message of each channel is taken; the rest is left and
        comes again."""
        self.channels: dict[int, ReceiveChannel] = {0: self._new_channel(0)}
        self.started = False

    def start(self, next_number: int, now: float) -> None:
        """Deliver channel 0 from `next_number`, and the others."""
        self.channels[0].start(next_number, now)
        self.started = True

    def check(self, frame: frames.Frame) -> bool:
        """Whether a frame can be taken now; False = drop the packet, it will come again.

        Raises RemoteProtocolError when no honest peer can have sent it.
        """
        if isinstance(frame, frames.Hello):
            if self._hello is not None and frame.body != self._hello:
                raise RemoteProtocolError("two different HELLOs on one link")
        elif (
            isinstance(frame, frames.State)
            and frame.key not in self._states
            and len(self._states) >= MAX_STATES
        ):
            raise RemoteProtocolError(f"more than {MAX_STATES} states")
        return True

    def take_messages(self, frame: frames.Messages, now: float, *, may_take: bool) -> bool:
        """Check whole messages and, where they can be taken now, do so. Raises as `check`."""
        channel, messages = self._channel(frame.channel), frame.messages
        last, size_bytes = frame.first_number + len(messages) - 1, sum(map(len, messages))
        if not self._can_take(channel, last, size_bytes, len(messages), None, size_bytes):
            return False
        if may_take:
            channel.accept(frame.first_number, messages, now)
        return may_take

    def take_part(self, frame: frames.Message, now: float, *, may_take: bool) -> bool:
        """The same for a part of one."""
        channel, number, data = self._channel(frame.channel), frame.number, frame.data
        if not self._can_take(channel, number, frame.total, 1, number, len(data)):
            return False
        if may_take:
            channel.accept_part(number, frame.offset, frame.total, data, now)
        return may_take

    def on_hello(self, frame: frames.Hello) -> None:
        """Their HELLO, checked; repeated ones change nothing."""
        if self._hello is None:
            self._hello = frame.body
            self._hello_is_fresh = True

    def on_state(self, frame: frames.State) -> None:
        """A latest-value state, checked."""
        if frame.revision > self._states.get(frame.key, (-1, b""))[0]:
            self._states[frame.key] = (frame.revision, frame.value)
            self._fresh_states[frame.key] = frame.value

    def take_events(self) -> list[Event]:
        """What is new; messages taken from channels other than 0 are receipted by this."""
        events: list[Event] = []
        if self._hello_is_fresh and self._hello is not None:
            self._hello_is_fresh = False
            events.append(HelloArrived(self._hello))
        if self.started:
            for number, channel in self.channels.items():
                if channel.ready:
                    first, messages = channel.take_ready()
                    events.append(MessagesArrived(number, first, messages, channel.ready_at))
                    if number:
                        channel.on_receipt(first + len(messages) - 1)
                        self._receipts.set(number, first + len(messages) - 1)
        if self._fresh_states:
            events += [StateArrived(key, value) for key, value in self._fresh_states.items()]
            self._fresh_states.clear()
        return events

    def _can_take(
        self,
        channel: ReceiveChannel,
        last: int,
        total_bytes: int,
        count: int,
        part_of: int | None,
        size_bytes: int,
    ) -> bool:
        try:
            channel.check(last, total_bytes, count, part_of)
        except RemoteProtocolError:
            if channel.started:
                raise
            return False
        if not channel.started and channel.held_messages + count > self._config.window_messages:
            return False
        if channel.started and last - count < channel.next_number:
            return True  # the next one, or nothing new
        return self.held.has_space(size_bytes + count * MESSAGE_OVERHEAD_BYTES)

    def _channel(self, number: int) -> ReceiveChannel:
        channel = self.channels.get(number)
        if channel is None:
            channel = self.channels[number] = self._new_channel(number)
        return channel

    def _new_channel(self, number: int) -> ReceiveChannel:
        limit_bytes = 2 * self._config.window_of(number)
        channel = ReceiveChannel(limit_bytes, self._config.window_messages, self.held)
        if number:
            channel.start(1, 0.0)
        return channel
