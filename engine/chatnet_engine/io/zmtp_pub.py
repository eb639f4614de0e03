"""What a PUB socket knows of one subscriber."""

from chatnet_engine.io.zmtp import COMMAND, MORE, Violation, Wire, frame

PEER_TYPES = frozenset({b"SUB", b"XSUB"})
MAX_FRAME_BYTES = 256
"""One subscription."""
MAX_TOPICS = 16


def publication(topic: bytes, body: bytes) -> bytes:
    """The two frames of one publication."""
    return frame(topic, MORE) + frame(body)


class Subscriber:
    """Its subscriptions. `wire` holds what it is to be answered."""

    def __init__(self) -> None:
        self.wire = Wire(b"PUB", PEER_TYPES)
        self.topics: set[bytes] = set()

    def wants(self, topic: bytes) -> bool:
        """Whether it has subscribed to a beginning of that topic."""
        return topic.startswith(tuple(self.topics))

    def feed(self, data: bytes) -> None:
        """Take in what has arrived. Raises Violation."""
        self.wire.feed(data)
        while (found := self.wire.take_frame(MAX_FRAME_BYTES)) is not None:
            flags, body = found
            if flags & COMMAND:
                self._handle_command(body)
            elif body[:1] in (b"\0", b"\1"):
                self._subscribe(body[1:], body[0] == 1)

    def _handle_command(self, body: bytes) -> None:
        match self.wire.handle_command(body):
            case None:
                pass
            case (b"SUBSCRIBE" | b"CANCEL") as name, topic:
                self._subscribe(topic, name == b"SUBSCRIBE")
            case _:
                raise Violation("an unknown command")

    def _subscribe(self, topic: bytes, wanted: bool) -> None:
        if not wanted:
            self.topics.discard(topic)
            return
        self.topics.add(topic)
        if len(self.topics) > MAX_TOPICS:
            raise Violation("too many subscriptions")
