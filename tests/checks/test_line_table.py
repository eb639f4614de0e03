"""What the table of `scripts/bench line` says of its figures."""

import socket
from itertools import pairwise
from math import inf
from pathlib import Path
from random import Random

import pytest

from benchmarks.line_node import LIVE_LINKS, REPAIR_S, End, Stream, Task
from benchmarks.line_table import (
    FIRST,
    INTERVAL_NOISE_S,
    INTERVAL_S,
    MEASURED,
    NAMES,
    ROWS,
    Figures,
    Pair,
    cell,
    control_cells,
    due_times,
    head,
    keep,
    kept,
    late_ms,
    line_of,
    rows_asked,
)
from benchmarks.line_transports import Bare
from chatnet_engine.io.impair import parse_impair
from realworld.narrow_line import losses_of

ON_TIME = Figures([25.1] * 98 + [26.0] * 2)
LATE = Figures([25.1] * 90 + [31.0] * 10)


def test_a_cell_has_percentiles_the_ratio_to_its_control_and_bytes() -> None:
    measured = Figures([30.0] * 60 + [40.0] * 37 + [52.0] * 3, (20_000, 5_000))
    assert cell([Pair(measured, ON_TIME)], 100) == "30.0 / 40.0 / 52.0; 2.00 ×; 200 + 50 B"
    assert cell([Pair(Figures([30.0]), Figures([]))], 1) == "30.0 / 30.0 / 30.0"


def test_a_cell_says_what_is_missing_and_what_spoils_it() -> None:
    measured = Figures([26.0] * 9, (1_000, 0), line_late_ms=3.2)
    expected = "26.0 / 26.0 / 26.0; 1.00 ×; 100 + 0 B; 1 of 10 missing; line late by 3 ms once"
    assert cell([Pair(measured, ON_TIME)], 10) == expected
    assert cell([Pair(Figures([]), ON_TIME)], 10) == "nothing arrived"


def test_a_cell_of_several_seeds_has_their_medians_and_the_worst_that_spoils_them() -> None:
    pairs = [
        Pair(Figures([26.0] * 10, (1_000, 500), 0.1), ON_TIME),
        Pair(Figures([52.0] * 9, (3_000, 600), 4.0), LATE),
        Pair(Figures([39.0] * 10, (2_000, 100), 0.1), ON_TIME),
    ]
    shares = "39.0 / 39.0 / 39.0; 1.50 ×; 200 + 50 B"
    assert cell(pairs, 10) == f"{shares}; 1 of 10 missing; line late by 4 ms once"
    assert cell([*pairs, Pair(Figures([]), ON_TIME)], 10) == "nothing arrived"
    seeds = [{"link": pair} for pair in pairs]
    assert control_cells(seeds) == ("25.1 / 25.1 / 31.0", "6.0 ms beside its link")
    assert line_of("20 %", seeds, ["link"], 10).startswith(f"| 20 % | {shares}")


def test_a_row_names_each_transport_beside_which_the_control_was_late() -> None:
    assert (late_ms(ON_TIME), late_ms(LATE)) == (1.0, 6.0)
    fine, spoilt = Pair(ON_TIME, ON_TIME), Pair(ON_TIME, LATE)
    assert control_cells([{"ours": fine, "link": fine}]) == ("25.1 / 25.1 / 26.0", "no")
    late = control_cells([{"ours": fine, "kcp": spoilt, "quic": spoilt}])[1]
    assert late == "6.0 ms beside KCP, 6.0 ms beside QUIC"
    assert control_cells([{"ours": Pair(ON_TIME, Figures([]))}])[1] == "inf ms beside ChatNet"


def test_a_line_of_the_table_has_a_cell_for_each_title() -> None:
    for name, row in ROWS.items():
        pairs = dict.fromkeys(row.names, Pair(ON_TIME, ON_TIME))
        line = line_of(name, [pairs], MEASURED, 100)
        assert line.count("|") == head(MEASURED)[0].count("|") == head(MEASURED)[1].count("|")
        assert line.count("| – ") == len(MEASURED) - len(row.names)
        assert set(row.names) <= set(NAMES)


def test_first_messages_are_counted_over_all_links() -> None:
    name, row = next((name, row) for name, row in ROWS.items() if row.links > 1)
    sent = FIRST * row.links
    pairs = {"link": Pair(Figures([26.0] * (sent - 1)), ON_TIME)}
    assert f"1 of {sent} missing" in line_of(name, [pairs], ["link"], 100)


def test_messages_are_sent_one_each_interval_or_many_at_once() -> None:
    thin = list(due_times(5, 1, 100.0))
    for number, due_s in enumerate(thin):
        assert 0 <= due_s - (100.0 + number * INTERVAL_S) <= INTERVAL_NOISE_S
    at_once = list(due_times(45, 20, 100.0))
    assert [at_once.count(due_s) for due_s in dict.fromkeys(at_once)] == [20, 20, 5]
    assert 0.99 < at_once[20] - at_once[0] < 1.01


def test_rows_are_chosen_by_name() -> None:
    assert rows_asked("") == list(ROWS)
    assert rows_asked("20 %/0 %") == ["20 %", "0 %"]
    with pytest.raises(ValueError, match="no row named 21 %"):
        rows_asked("20 %/21 %")


def test_what_was_kept_is_the_same_again(tmp_path: Path) -> None:
    pair = Pair(Figures([25.0, 31.5], (300, 120), 1.5), Figures([25.1]))
    keep(tmp_path / "pair.json", pair)
    again = kept(tmp_path / "pair.json")
    assert again.measured.ms == pair.measured.ms
    assert tuple(again.measured.wire_bytes or ()) == pair.measured.wire_bytes
    assert again.measured.line_late_ms == 1.5
    assert again.control == Figures([25.1])
    assert [path.name for path in tmp_path.iterdir()] == ["pair.json"]


@pytest.mark.parametrize("name", ROWS)
def test_each_line_is_the_same_in_a_namespace_and_impaired_by_the_sender(name: str) -> None:
    row = ROWS[name]
    spec = parse_impair(row.impair(7), seed=1)
    assert (spec.loss, spec.delay_s, spec.seed) == (row.loss / 100, 0.025, 7)
    assert bool(spec.burst_s or spec.burst_packets) == bool(row.burst)
    losses = losses_of(row.loss / 100, row.burst, Random(1))
    lost = [losses.loses(number * 0.01) for number in range(20_000)]
    assert sum(lost) / len(lost) == pytest.approx(row.loss / 100, abs=0.015)
    runs = sum(after and not before for before, after in pairwise(lost))
    if row.burst == "4":
        assert sum(lost) / runs == pytest.approx(4, rel=0.15)
    elif row.loss and not row.burst:
        assert sum(lost) / runs == pytest.approx(1 / (1 - row.loss / 100), rel=0.05)


def test_every_source_has_a_transport_and_the_least_used_goes() -> None:
    def make() -> Bare:
        return Bare(("127.0.0.1", 1), sends=False)

    task = Task("udp", "127.0.0.1", 0, 1, 1, 1, "", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        end = End(sock, make, task.spec(0))
        addrs = [("127.0.0.1", port) for port in range(LIVE_LINKS)]
        first, second, *_ = [end.transport(addr) for addr in addrs]
        assert end.transport(addrs[0]) is first
        end.transport(("127.0.0.1", LIVE_LINKS))
        assert end.transport(addrs[0]) is first
        assert end.transport(addrs[1]) is not second


def test_a_stream_sends_what_is_due_once_its_link_is_open() -> None:
    stream = Stream(Task("udp", "127.0.0.1", 9, 3, 3, 2, "", 0.5), 1)
    with stream.end.sock:
        stream.link.is_open = False
        assert stream.send_due(10.0) == inf
        assert not stream.is_over(1_000.0)
        stream.link.is_open = True
        due_s = stream.send_due(20.0)
        assert 20.0 <= due_s <= 20.0 + INTERVAL_NOISE_S
        assert stream.send_due(due_s) == inf
        assert len(stream.link.take(due_s)) == 3
        assert (stream.is_over(due_s + REPAIR_S), stream.is_over(due_s + REPAIR_S + 0.1)) == (
            False,
            True,
        )
