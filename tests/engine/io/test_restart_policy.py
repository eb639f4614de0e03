import signal

import pytest

from chatnet_engine.io.restart_policy import (
    EXIT_CRASHED,
    MAX_PAUSE_S,
    RestartPolicy,
    cause_of,
    is_stop,
)


def pauses_of(*lives_s: float) -> list[float | None]:
    """The pauses after lives of these lengths, until the policy gives up (None)."""
    policy, now_s, pauses = RestartPolicy(), 1000.0, []
    for life_s in lives_s:
        policy.handle_start(now_s)
        now_s += life_s
        pauses.append(policy.handle_death(now_s))
        if pauses[-1] is None:
            break
        now_s += pauses[-1]
    return pauses


def test_quick_deaths_double_the_pause_and_the_fifth_in_a_minute_is_the_last() -> None:
    assert pauses_of(*[0.0] * 9) == [0.1, 0.2, 0.4, 0.8, None]


def test_deaths_every_fifteen_seconds_are_answered_at_once_for_ever() -> None:
    assert pauses_of(*[15.0] * 100) == [0.1] * 100


def test_the_pause_grows_to_ten_seconds_and_no_further() -> None:
    # Two deaths about every half minute: never five within one, always after a short life.
    pauses = pauses_of(*[9.9, 59.0] * 2, *[9.9] * 3)
    assert pauses[:4] == [0.1, 0.2, 0.2, 0.4]
    policy, now_s, pauses = RestartPolicy(), 0.0, []
    for _ in range(12):
        policy.handle_start(now_s)
        pauses.append(policy.handle_death(now_s + 9.0))
        now_s += 30.0
    assert pauses[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, MAX_PAUSE_S]
    assert set(pauses[8:]) == {MAX_PAUSE_S}


def test_a_minute_of_life_makes_the_next_pause_short_again() -> None:
    assert pauses_of(0.0, 0.0, 59.9) == [0.1, 0.2, 0.4]
    assert pauses_of(0.0, 0.0, 60.0, 0.0, 0.0) == [0.1, 0.2, 0.1, 0.1, 0.2]


def test_only_deaths_of_the_last_minute_count_against_it() -> None:
    # The first of five is a minute old when the fifth comes.
    assert pauses_of(0.0, 19.0, 19.0, 19.0, 19.0)[-1] is not None
    assert pauses_of(0.0, 14.0, 14.0, 14.0, 14.0)[-1] is None


def test_restarts_are_counted_and_giving_up_is_none() -> None:
    policy = RestartPolicy()
    for _ in range(5):
        policy.handle_death(1.0)
    assert policy.restarts == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_stops_an_engine_is_no_death(number: int) -> None:
    assert is_stop(-number)
    assert is_stop(0)


@pytest.mark.parametrize(
    ("exit_code", "cause"),
    [
        (-signal.SIGKILL, "SIGKILL"),
        (-signal.SIGABRT, "SIGABRT"),
        (EXIT_CRASHED, "internal-error"),
        (3, "exit-3"),
        (-99, "signal-99"),
    ],
)
def test_every_other_end_is_a_death_with_a_cause(exit_code: int, cause: str) -> None:
    assert not is_stop(exit_code)
    assert cause_of(exit_code) == cause
