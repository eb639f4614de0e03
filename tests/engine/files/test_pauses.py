"""How long a transfer rests after deaths of the file process, and between two dials."""

from chatnet_engine.files.pauses import (
    DEATHS_WITHOUT_PAUSE,
    MAX_DEATH_PAUSE_S,
    MAX_DIAL_INTERVAL_S,
    MIN_DIAL_INTERVAL_S,
    DeathPause,
    DialPause,
)


def test_a_job_rests_twice_as_long_after_each_further_death() -> None:
    pause = DeathPause()
    pauses = [pause.died() for _ in range(DEATHS_WITHOUT_PAUSE + 8)]
    longest = MAX_DEATH_PAUSE_S
    assert pauses == [*[0.0] * DEATHS_WITHOUT_PAUSE, 1, 2, 4, 8, 16, 32, longest, longest]
    pause.achieved()
    assert [pause.died() for _ in range(DEATHS_WITHOUT_PAUSE + 1)][-2:] == [0.0, 1.0]


def test_dials_that_fail_come_at_twice_the_interval_each() -> None:
    pause = DialPause()
    assert pause.take(10.0) == 10.0
    assert pause.take(10.0) == 10.0 + MIN_DIAL_INTERVAL_S
    pause.lengthen()
    pause.take(20.0)
    assert pause.next_s == 20.0 + 2 * MIN_DIAL_INTERVAL_S
    for _ in range(10):
        pause.lengthen()
    pause.take(30.0)
    assert pause.next_s == 30.0 + MAX_DIAL_INTERVAL_S
    pause.reset()
    pause.take(60.0)
    assert pause.next_s == 60.0 + MIN_DIAL_INTERVAL_S
