"""Everything that may go into a packet, and the order in which it does.

Owns the sources of content. It does not know when a packet may leave, only what it would carry.
"""

from chatnet_engine.arq.acks import Acks
from chatnet_engine.arq.channel_out import MIN_USEFUL_BYTES, SendChannel
from chatnet_engine.arq.control import ChannelReceipts, HelloSlot, PathTokens, StateBoard
from chatnet_engine.arq.delivery_log import DeliveryLog
from chatnet_engine.arq.packets import DeliveryToken, SentFrame, SentPacket, SentRecord, Source
from chatnet_engine.arq.receipts import ReceiptQueue
from chatnet_engine.arq.redundancy import CopyPlan


class PacketBuilder:
    """A packet being filled."""

    __slots__ = ("ack_eliciting", "chunks", "contents", "has_chat", "space")

    def __init__(self, space: int) -> None:
        self.space = space
        self.chunks: list[bytes] = []
        self.contents: list[tuple[Source, DeliveryToken]] = []
        self.ack_eliciting = False
        self.has_chat = False
        """It carries messages of channel 0."""

    def add(self, source: Source, pulled: SentFrame, ack_eliciting: bool = True) -> None:
        """A frame whose source wants to know its fate."""
        self.chunks.append(pulled[0])
        self.space -= len(pulled[0])
        self.contents.append((source, pulled[1]))
        self.ack_eliciting = self.ack_eliciting or ack_eliciting

    def add_bare(self, frame: bytes) -> None:
        """A frame that is not repeated."""
        self.chunks.append(frame)
        self.space -= len(frame)
        self.ack_eliciting = True


class Sources:
    """HELLO, ACK, path tokens, receipts, states; then channel 0; then the other channels."""

    def __init__(self, acks: Acks) -> None:
        self.acks = acks
        self.hello = HelloSlot()
        self.receipts = ReceiptQueue()
        self.channel_receipts = ChannelReceipts()
        self.states = StateBoard()
        self.paths = PathTokens()
        self.channels: dict[int, SendChannel] = {}
        self.log = DeliveryLog()
        self.has_pulled = False
        """Channels have given something to packets since this was set to False."""
        self._chat: SendChannel | None = None
        self._bulk: list[SendChannel] = []

    def open_channel(self, channel: SendChannel) -> None:
        """A channel may send from now on."""
        self.channels[channel.channel] = channel
        if channel.channel:
            self._bulk.append(channel)
        else:
            self._chat = channel

    @property
    def answers_at(self) -> float:
        """When something is due that goes out once and is not repeated."""
        return float("-inf") if self.paths.due else self.acks.due_at

    @property
    def has_control(self) -> bool:
        """Whether something is due that waits for no window and is repeated until acknowledged."""
        return bool(
            self.receipts.due or self.states.due or self.channel_receipts.due or self.hello.due
        )

    @property
    def has_bulk(self) -> bool:
        """Whether channels other than 0 have something to send."""
        for channel in self._bulk:  # noqa: SIM110 (asked often: a generator costs as much again)
            if channel.waits:
                return True
        return False

    @property
    def has_chat(self) -> bool:
        """Whether channel 0 has something to send, copies aside."""
        chat = self._chat
        return chat is not None and chat.waits

    def chat_at(self, now: float) -> float | None:
        """When channel 0 wants a packet: `now` for content, or later for early copies."""
        chat = self._chat
        if chat is None:
            return None
        return now if chat.waits else chat.copies.due_at()

    def on_line(self, plan: CopyPlan, rtt_s: float, patience_s: float) -> None:
        """News of the line for those who adapt to it."""
        chat = self._chat
        if chat is not None:
            chat.copies.on_line(plan, rtt_s, patience_s)

    def add_control(
        self, builder: PacketBuilder, now: float, *, with_ack: bool, repeated: bool
    ) -> None:
        """What waits for no window; without `repeated` only what goes out once."""
        if repeated and (hello := self.hello.pull()) is not None:
            builder.add(self.hello, hello)
        if with_ack:
            again = self.acks.insistent and not self.has_chat and not self.has_bulk
            ack = self.acks.pull(now, again=again)
            if ack is not None:
                builder.add(self.acks, ack, ack_eliciting=False)
        while self.paths.due and (token := self.paths.pull(builder.space)) is not None:
            builder.add_bare(token)
        if not repeated:
            return
        for source in (self.receipts, self.channel_receipts, self.states):
            while source.due and (pulled := source.pull(builder.space)) is not None:
                builder.add(source, pulled)

    def add_chat(self, builder: PacketBuilder, number: int, now: float) -> None:
        """Channel 0: lost content, then new content."""
        chat = self._chat
        if chat is not None:
            builder.has_chat = self._add_channel(builder, chat, number, now)

    def add_copies(self, builder: PacketBuilder, number: int, now: float, every: bool) -> None:
        """Copies of small messages in flight; with `every`, also those that are not due for one."""
        chat = self._chat
        if chat is not None and not chat.has_new:
            spare = not self.has_bulk
            for pulled in chat.pull_copies(builder.space, number, now, every=every, spare=spare):
                builder.add(chat, pulled)
                builder.has_chat = True

    def add_bulk(self, builder: PacketBuilder, number: int, now: float) -> None:
        """The other channels in turn; the first that was served goes to the end of the line."""
        for channel in list(self._bulk):
            if builder.space < MIN_USEFUL_BYTES:
                return
            if self._add_channel(builder, channel, number, now):
                self._bulk.remove(channel)
                self._bulk.append(channel)

    def add_backlog(
        self, builder: PacketBuilder, number: int, now: float, *, chat: bool, bulk: bool
    ) -> None:
        """Messages of channel 0, or else of the others. These fill what is left of a packet with
        text, but have none of their own while it uses its credit."""
        if chat:
            self.add_chat(builder, number, now)
            if not builder.has_chat:
                return
            self.add_copies(builder, number, now, every=False)
        if bulk:
            self.add_bulk(builder, number, now)

    def record(self, builder: PacketBuilder, number: int, now: float) -> SentRecord:
        """Enter a packet with messages of channel 0 into the log."""
        chat = self._chat
        contents = [token for source, token in builder.contents if source is chat]
        return self.log.on_sent(number, now, contents)

    def is_worth_keeping(self, builder: PacketBuilder) -> bool:
        """Whether anybody wants to know what becomes of a packet: not of answers alone."""
        acks = self.acks
        for source, _ in builder.contents:  # noqa: SIM110 (a generator costs five times this)
            if source is not acks:
                return True
        return False

    def is_patient(self, builder: PacketBuilder) -> bool:
        """Whether a packet carries nothing but receipts, whose ACK may wait."""
        patient = (self.receipts, self.channel_receipts, self.acks)
        for source, _ in builder.contents:  # noqa: SIM110 (as above)
            if source not in patient:
                return False
        return True

    def has_messages(self, builder: PacketBuilder) -> bool:
        """Whether a packet carries anything of a channel."""
        return any(isinstance(source, SendChannel) for source, _ in builder.contents)

    def forgotten(self, packet: SentPacket) -> None:
        """Nobody will know what became of `packet`: its content is due again."""
        for source, token in packet.contents:
            if source is not self.hello:  # it is in later packets anyway
                source.on_probe(token)

    def resend(self, packet: SentPacket) -> bool:
        """Make the content of `packet` due again; whether there was any."""
        for source, token in packet.contents:
            source.on_probe(token)
        return self.has_chat or self.has_bulk or self.has_control

    def _add_channel(
        self, builder: PacketBuilder, channel: SendChannel, number: int, now: float
    ) -> bool:
        pulled = channel.pull(builder.space, number, now)
        for each in pulled:
            builder.add(channel, each)
            self.has_pulled = True
        return bool(pulled)
