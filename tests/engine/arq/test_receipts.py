"""Receipts: one frame for a run, repeated until it is known; each message reported once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.arq.receipts import MAX_OPEN_RUNS, MAX_PENDING_RUNS, ReceiptLog, ReceiptQueue
from chatnet_protocol.errors import LocalProtocolError, RemoteProtocolError
from chatnet_protocol.wire import frames
from chatnet_protocol.wire.frames import Receipt


def pulled(queue: ReceiptQueue) -> list[tuple[tuple[int, int, int], tuple[int, ...]]]:
    out = []
    while (frame := queue.pull(100)) is not None:
        (receipt,) = frames.decode(frame[0])
        assert isinstance(receipt, Receipt)
        out.append(((receipt.number, receipt.ack, receipt.count), frame[1]))
    return out


def test_a_longer_run_of_the_same_slope_takes_the_place_of_the_shorter() -> None:
    queue = ReceiptQueue()
    queue.add(3, 103, 3)
    queue.add(5, 105, 2)
    assert [frame for frame, _ in pulled(queue)] == [(5, 105, 5)]
    assert not queue.due


def test_another_slope_is_another_frame() -> None:
    queue = ReceiptQueue()
    queue.add(3, 3, 3)
    queue.add(6, 5, 2)
    assert [frame for frame, _ in pulled(queue)] == [(3, 3, 3), (6, 5, 2)]


def test_a_commit_without_ack_numbers_gives_way_to_any_later_frame() -> None:
    queue = ReceiptQueue()
    queue.add(3, 0, 0)
    queue.add(4, 0, 0)
    queue.add(5, 1, 1)
    assert [frame for frame, _ in pulled(queue)] == [(5, 1, 1)]


def test_what_was_acknowledged_leaves_the_run() -> None:
    queue = ReceiptQueue()
    queue.add(3, 3, 3)
    ((_, token),) = pulled(queue)
    queue.add(5, 5, 2)
    queue.on_acked(token)
    ((frame, token),) = pulled(queue)
    assert frame == (5, 5, 2)
    queue.on_acked(token)
    queue.on_acked(token)
    queue.on_lost(token, 0)
    queue.on_probe(token)
    assert pulled(queue) == []


def test_a_lost_frame_is_repeated_unless_a_longer_one_is_on_the_way() -> None:
    queue = ReceiptQueue()
    queue.add(3, 3, 3)
    ((_, short),) = pulled(queue)
    queue.on_lost(short, 1)
    assert [frame for frame, _ in pulled(queue)] == [(3, 3, 3)]
    queue.add(4, 4, 1)
    ((frame, longer),) = pulled(queue)
    queue.on_lost(short, 1)
    assert pulled(queue) == []
    queue.on_lost(longer, 2)
    assert [again for again, _ in pulled(queue)] == [frame] == [(4, 4, 4)]
    queue.on_probe(longer)
    assert queue.due


def test_a_frame_that_does_not_fit_waits() -> None:
    queue = ReceiptQueue()
    assert queue.pull(100) is None
    queue.add(3, 3, 3)
    assert queue.pull(3) is None
    assert queue.due
    assert queue.pull(len(frames.encode_receipt(3, 3, 3))) is not None


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ((4, 4, 5), "a receipt for more messages than there are"),
        ((4, 2, 3), "a receipt for more messages than there are"),
        ((4, 4, -1), "a receipt for more messages than there are"),
        ((3, 3, 1), "receipts have to ascend"),
        ((2, 2, 1), "receipts have to ascend"),
    ],
)
def test_impossible_receipts_are_refused(wrong: tuple[int, int, int], why: str) -> None:
    queue = ReceiptQueue()
    queue.add(3, 3, 3)
    with pytest.raises(LocalProtocolError, match=f"^{why}$"):
        queue.add(*wrong)


def test_the_queue_says_when_it_is_full() -> None:
    queue = ReceiptQueue()
    for n in range(1, MAX_PENDING_RUNS):
        queue.add(n, 2 * n, 1)
    assert not queue.full
    queue.add(MAX_PENDING_RUNS, 9 * MAX_PENDING_RUNS, 1)
    assert queue.full
    for _, token in pulled(queue):
        queue.on_acked(token)
    assert not queue.full


def test_repeated_and_overlapping_receipts_report_the_news_only() -> None:
    log = ReceiptLog(1)
    assert log.add(Receipt(3, 13, 3)) == [Receipt(3, 13, 3)]
    assert log.add(Receipt(3, 13, 3)) == []
    assert log.add(Receipt(5, 15, 5)) == [Receipt(5, 15, 2)]
    assert log.add(Receipt(9, 29, 2)) == [Receipt(9, 29, 2)]
    assert log.add(Receipt(7, 17, 7)) == [Receipt(7, 17, 2)]
    assert log.upto == 9


def test_a_run_that_came_piecemeal_gets_the_ack_numbers_of_its_place() -> None:
    log = ReceiptLog(1)
    log.add(Receipt(4, 14, 1))
    log.add(Receipt(8, 18, 2))
    assert log.add(Receipt(9, 19, 9)) == [
        Receipt(3, 13, 3),
        Receipt(6, 16, 2),
        Receipt(9, 19, 1),
    ]


def test_a_commit_without_ack_numbers_is_reported_once() -> None:
    log = ReceiptLog(1)
    assert log.add(Receipt(3, 0, 0)) == [Receipt(3, 0, 0)]
    assert log.add(Receipt(3, 0, 0)) == []
    assert log.add(Receipt(2, 0, 0)) == []
    assert log.add(Receipt(3, 1, 1)) == [Receipt(3, 1, 1)]
    log = ReceiptLog(10)
    assert log.add(Receipt(9, 0, 0)) == []
    assert log.add(Receipt(10, 0, 0)) == [Receipt(10, 0, 0)]


def test_numbers_before_the_first_are_cut_off() -> None:
    log = ReceiptLog(10)
    assert log.add(Receipt(11, 50, 11)) == [Receipt(11, 50, 2)]


def test_holes_are_bounded() -> None:
    log = ReceiptLog(1)
    for n in range(MAX_OPEN_RUNS):
        log.add(Receipt(2 * n + 2, 2 * n + 2, 1))
    with pytest.raises(RemoteProtocolError, match=r"^too many holes between receipts$"):
        log.add(Receipt(10**6, 10**6, 1))


@given(
    runs=st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=20),
    order=st.randoms(use_true_random=False),
)
def test_every_message_gets_its_ack_number_once_in_any_order(
    runs: list[tuple[int, bool]], order: object
) -> None:
    queue, log = ReceiptQueue(), ReceiptLog(1)
    wanted: dict[int, int] = {}
    arriving = []
    number = ack = 0
    for size, gap in runs:
        ack += 5 if gap else 0
        wanted.update({number + n: ack + n for n in range(1, size + 1)})
        number += size
        ack += size
        queue.add(number, ack, size)
        arriving += [frame for frame, _ in pulled(queue)]
    arriving *= 2
    order.shuffle(arriving)  # type: ignore[attr-defined]
    got: dict[int, int] = {}
    for frame in arriving:
        for run in log.add(Receipt(*frame)):
            for back in range(run.count):
                assert run.number - back not in got
                got[run.number - back] = run.ack - back
    assert got == wanted
