"""Front ends that do what none should, all at once, against one engine: it lives, keeps serving,
and its memory comes back. `scripts/attack` does it longer, one by one, with figures."""

import resource
import time
from pathlib import Path

import pytest

from attacks.victim import MAX_GROWTH_BYTES, Report, victim

SECONDS = 2.0
BACK_WITHIN_S = 30.0
HARMFUL = ("hang-up", "flood-history", "multipart", "idle")
"""Without "pour" and "unread-pages": beside them a verb may wait too long, which `scripts/attack`
shows until it is mended; the engine's life beside "pour" is tried below."""


@pytest.mark.e2e
def test_no_act_of_a_front_end_ends_the_engine(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, soft), hard))
    try:
        report = Report("all at once")
        with victim(tmp_path, "a", report) as found:
            attackers = [found.attack(kind) for kind in HARMFUL]
            try:
                found.watch(report, SECONDS)
                found.check_verbs(report)
            finally:
                for attacker in attackers:
                    attacker.kill()
                    attacker.wait()
            until = time.monotonic() + BACK_WITHIN_S
            limit = report.quiet_bytes + MAX_GROWTH_BYTES
            while found.resident_bytes() > limit and time.monotonic() < until:
                found.watch(report, 0.2)
            assert found.resident_bytes() <= limit
            found.stop(report)
        assert not report.problems
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.e2e
def test_the_engine_stops_when_asked_in_the_middle_of_a_flood(tmp_path: Path) -> None:
    report = Report("stop")
    with victim(tmp_path, "a", report) as found:
        attackers = [found.attack(kind) for kind in ("hang-up", "pour", "flood-keepalive")]
        try:
            found.watch(report, 0.5)
            found.stop(report)
        finally:
            for attacker in attackers:
                attacker.kill()
                attacker.wait()
    assert not report.problems
