"""Front ends that do what none should, all at once, against one engine: it lives, keeps serving,
and its memory stays. `scripts/attack` does it longer, one by one, with figures."""

import resource
from pathlib import Path

import pytest

from attacks.victim import GIVE_UP_S, MAX_GROWTH_BYTES, Report, victim

SECONDS = 2.0
HARMFUL = ("hang-up", "flood-history", "pour", "unread-pages", "multipart", "same-identity", "idle")


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
                found.watch(report, SECONDS)
            finally:
                for attacker in attackers:
                    attacker.kill()
                    attacker.wait()
            found.stop(report)
        assert not report.problems
        assert report.peak_bytes <= report.quiet_bytes + MAX_GROWTH_BYTES
        assert max(report.waits_s) < GIVE_UP_S
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
