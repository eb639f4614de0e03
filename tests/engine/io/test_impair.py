import pytest

from chatnet_engine.io import impair
from chatnet_engine.io.impair import Impairment, ImpairSpec, parse_impair
from chatnet_protocol.errors import CommandError

ADDR = ("127.0.0.1", 1)


def numbered(count: int) -> list[tuple[bytes, tuple[str, int]]]:
    return [(number.to_bytes(4, "big"), ADDR) for number in range(count)]


def run(
    spec: ImpairSpec, count: int, step_s: float = 0.001
) -> tuple[Impairment, list[tuple[int, float]]]:
    """Feed one datagram a step; (number, time) of all that came out."""
    line = Impairment(spec)
    out = []
    for number, datagram in enumerate(numbered(count)):
        now_s = number * step_s
        out += [(data, now_s) for data, _ in line.take_due(now_s)]
        out += [(data, now_s) for data, _ in line.admit([datagram], now_s)]
    while (due_s := line.next_timeout()) is not None:
        out += [(data, due_s) for data, _ in line.take_due(due_s)]
    return line, [(int.from_bytes(data, "big"), at_s) for data, at_s in out]


def test_parse_all_and_text_round_trip() -> None:
    spec = parse_impair("loss=20%, dup=.05,delay=50ms,jitter=0.02s,reorder=0.1,seed=7", seed=1)
    assert spec == ImpairSpec(0.2, 0.05, 0.05, 0.02, 0.1, 7)
    assert spec.text() == "loss=20%,dup=5%,delay=50ms,jitter=20ms,reorder=10%,seed=7"
    assert parse_impair(spec.text(), seed=0) == spec
    assert parse_impair("loss=1", seed=9) == ImpairSpec(loss=1.0, seed=9)
    assert parse_impair("delay=2s", seed=9).delay_s == 2.0


def test_bursts_are_of_a_length_in_time_or_in_packets() -> None:
    timed = parse_impair("loss=10%,burst=20ms", seed=1)
    assert timed == ImpairSpec(loss=0.1, burst_s=0.02, seed=1)
    counted = parse_impair("loss=10%,burst=4", seed=1)
    assert counted == ImpairSpec(loss=0.1, burst_packets=4, seed=1)
    for spec in (timed, counted):
        assert parse_impair(spec.text(), seed=0) == spec


@pytest.mark.parametrize(
    ("spec", "step_s", "length"),
    [
        (ImpairSpec(loss=0.1, burst_s=0.02, seed=5), 0.002, 10.5),
        (ImpairSpec(loss=0.1, burst_s=0.02, seed=5), 0.1, 1.1),
        (ImpairSpec(loss=0.1, burst_packets=4, seed=5), 0.1, 4),
    ],
)
def test_losses_in_bursts_have_their_share_and_length(
    spec: ImpairSpec, step_s: float, length: float
) -> None:
    line, out = run(spec, 20_000, step_s)
    assert 1500 < line.lost < 2500
    arrived = {number for number, _ in out}
    bursts = sum(n not in arrived and n - 1 in arrived for n in range(1, 20_000))
    assert line.lost / bursts == pytest.approx(length, rel=0.2)
    assert run(spec, 20_000, step_s)[1] == out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not of the form"),
        ("loss", "not of the form"),
        ("loss=0.1,loss=0.2", "given twice"),
        ("los=0.1", "'los' is not one of loss, burst, dup, delay, jitter, reorder, seed"),
        ("loss=1.5", "at most 1"),
        ("loss=120%", "at most 1"),
        ("loss=-1", "is a share"),
        ("loss=5ms", "is a share"),
        ("dup=nan", "is a share"),
        ("delay=50", "is a time"),
        ("delay=5%", "is a time"),
        ("jitter=61s", "at most 60s"),
        ("burst=20ms", "goes with a loss above 0"),
        ("loss=95%,burst=4", "goes with a loss above 0 and up to 90%"),
        ("loss=10%,burst=0", "is 1 to 10000 packets"),
        ("loss=10%,burst=0.5", "is 1 to 10000 packets"),
        ("loss=10%,burst=5%", "burst is a time"),
        ("loss=10%,burst=61s", "at most 60s"),
        ("seed=x", "is a whole number"),
        ("seed=²", "is a whole number"),
    ],
)
def test_parse_errors_are_one_sentence(text: str, problem: str) -> None:
    with pytest.raises(CommandError, match=problem) as caught:
        parse_impair(text, seed=0)
    assert caught.value.detail.startswith("--impair: ")
    assert caught.value.detail.endswith(".")


def test_a_perfect_line_passes_everything_at_once() -> None:
    line, out = run(ImpairSpec(seed=3), 50)
    assert [number for number, _ in out] == list(range(50))
    assert line.next_timeout() is None


def test_loss_and_duplicates_come_at_their_rates() -> None:
    line, out = run(ImpairSpec(loss=0.2, dup=0.1, seed=7), 5000)
    assert 900 < line.lost < 1100
    assert 320 < line.duplicated < 480
    assert len(out) == 5000 - line.lost + line.duplicated


def test_delay_and_jitter_hold_for_their_time() -> None:
    _, out = run(ImpairSpec(delay_s=0.05, jitter_s=0.02, seed=1), 500)
    travelled = [at_s - number * 0.001 for number, at_s in out]
    assert min(travelled) >= 0.05 - 1e-9
    assert 0.06 < max(travelled) <= 0.071
    assert len(out) == 500


def test_reordering_lets_later_ones_overtake() -> None:
    _, plain = run(ImpairSpec(delay_s=0.05, seed=1), 500)
    _, out = run(ImpairSpec(delay_s=0.05, reorder=0.1, seed=1), 500)
    numbers = [number for number, _ in out]
    assert [number for number, _ in plain] == list(range(500))
    assert numbers != sorted(numbers)
    assert sorted(numbers) == list(range(500))


def test_the_seed_decides_and_time_does_not() -> None:
    spec = ImpairSpec(loss=0.3, dup=0.1, delay_s=0.01, jitter_s=0.01, reorder=0.1, seed=7)
    _, first = run(spec, 300)
    _, again = run(spec, 300)
    _, slower = run(spec, 300, step_s=0.1)
    _, other = run(ImpairSpec(loss=0.3, dup=0.1, seed=8), 300)
    assert first == again
    assert sorted(n for n, _ in first) == sorted(n for n, _ in slower)
    assert sorted(n for n, _ in first) != sorted(n for n, _ in other)


def test_switching_one_fault_on_leaves_the_others_decisions() -> None:
    _, only_loss = run(ImpairSpec(loss=0.3, seed=7), 300)
    _, both = run(ImpairSpec(loss=0.3, dup=0.5, seed=7), 300)
    assert {n for n, _ in only_loss} == {n for n, _ in both}


def test_held_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impair, "MAX_HELD_BYTES", 100)
    line, out = run(ImpairSpec(delay_s=10.0, seed=1), 50)
    assert len(out) == 25
    assert line.overflowed == 25
