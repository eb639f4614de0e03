"""The whole Connection against another one, through a link with faults."""

from random import Random

import pytest

from simworld.arq_pair import Pair


def texts(count: int, seed: int, most: int = 200) -> list[bytes]:
    random = Random(seed)
    return [b"%d:" % i + random.randbytes(random.randint(1, most)) for i in range(count)]


def test_messages_arrive_in_order_with_one_receipt_each() -> None:
    pair = Pair()
    sent = texts(50, 1)
    pair.a.send(0, sent)
    pair.settle()
    assert pair.b.got[0] == sent
    assert pair.a.sent_upto == {0: 50}
    assert sum(run.run for run in pair.a.receipts) == 50
    assert pair.a.receipts[-1].number == 50
    assert pair.a.receipts[-1].ack == 50
    assert pair.a.connection.stats.packets_lost == 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("loss", "duplication"), [(0.2, 0.2), (0.5, 0.2)])
def test_exactly_once_in_order_through_loss_duplication_and_reordering(
    seed: int, loss: float, duplication: float
) -> None:
    pair = Pair(seed)
    pair.impair(loss=loss, duplication=duplication, jitter_s=0.08)
    sent = {
        end: {channel: texts(60, 10 * seed + channel, 3000) for channel in (0, 1, 5)}
        for end in (pair.a, pair.b)
    }
    for end, channels in sent.items():
        for channel, messages in channels.items():
            end.send(channel, messages)
    pair.settle(600)
    assert pair.b.got == sent[pair.a]
    assert pair.a.got == sent[pair.b]
