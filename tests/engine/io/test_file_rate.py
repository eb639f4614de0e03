"""Files move no faster than they are allowed to, over all connections together."""

import socket
import threading

from chatnet_engine.io.file_channel import FileChannel
from chatnet_engine.io.file_rate import MAX_SLICE_BYTES, RateLimit
from chatnet_protocol.wire.control import Suite
from chatnet_protocol.wire.file_records import RecordType

KEYS = bytes(32), bytes(range(32))


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def read(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def limit(bytes_s: int) -> tuple[RateLimit, Clock]:
    clock = Clock()
    return RateLimit(bytes_s, clock.read, clock.sleep), clock


def test_what_is_taken_at_once_takes_its_time() -> None:
    bucket, clock = limit(1000)
    bucket.take(500)
    assert clock.now_s == 0.0
    bucket.take(500)
    assert clock.now_s == 0.5
    clock.now_s = 9.0  # unused time is not saved up
    bucket.take(1000)
    bucket.take(1000)
    assert clock.now_s == 10.0


def test_pieces_are_a_tenth_of_a_second_and_never_more_than_a_batch() -> None:
    bucket, _ = limit(1000)
    parts = [memoryview(bytes(250)), memoryview(b"end")]
    pieces = bucket.slices(parts)
    assert [len(piece) for piece in pieces] == [100, 100, 50, 3]
    assert b"".join(pieces) == bytes(250) + b"end"
    assert limit(10**12)[0].slice_bytes == MAX_SLICE_BYTES


def test_a_limited_connection_sends_and_receives_at_the_rate() -> None:
    near, far = socket.socketpair()
    sender = FileChannel(near, Suite.CHACHA, KEYS)
    receiver = FileChannel(far, Suite.CHACHA, (KEYS[1], KEYS[0]))
    sending, sent = limit(50_000)
    receiving, received = limit(25_000)
    sender.limit(sending, None)
    receiver.limit(None, receiving)
    bodies = []
    for number in range(4):
        sender.send(RecordType.FILE, bytes([number]) * 20_000)
        while not (records := receiver.receive(0)):
            pass
        bodies += [bytes(body) for _, body in records]
    assert bodies == [bytes([number]) * 20_000 for number in range(4)]
    assert 1.5 <= sent.now_s <= 1.7
    assert 3.0 <= received.now_s <= 3.3
    sender.close()
    receiver.close()


def test_another_rate_counts_from_now_on_and_frees_those_who_wait() -> None:
    bucket = RateLimit(1)
    waiting, through = threading.Event(), threading.Event()

    def move() -> None:
        bucket.take(1_000_000)
        waiting.set()
        bucket.take(1)
        through.set()

    mover = threading.Thread(target=move)
    mover.start()
    assert waiting.wait(10)
    assert not through.is_set()
    bucket.change(0)
    assert through.wait(10)
    mover.join()
    bucket.take(1 << 40)
    assert bucket.slice_bytes == MAX_SLICE_BYTES
