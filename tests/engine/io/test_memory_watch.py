from chatnet_engine.io.memory_watch import GROWTH_BYTES, STEP_S, TRIM_BYTES, MemoryWatch, Remedy

QUIET = 40 * 1024 * 1024
TOO_MUCH = QUIET + GROWTH_BYTES + 1


def watch_at_rest():
    watch = MemoryWatch()
    assert watch.look(QUIET + 1000, 0.0) is Remedy.NOTHING
    assert watch.look(QUIET, 0.1) is Remedy.NOTHING
    return watch


def test_growth_counts_from_the_smallest_size():
    watch = watch_at_rest()
    assert not watch.is_grown(QUIET + TRIM_BYTES)
    assert watch.is_grown(QUIET + TRIM_BYTES + 1)
    assert watch.look(QUIET + GROWTH_BYTES, 1.0) is Remedy.NOTHING


def test_remedies_come_one_after_the_other_with_time_to_work():
    watch = watch_at_rest()
    assert watch.look(TOO_MUCH, 1.0) is Remedy.END_BUSY
    assert watch.look(TOO_MUCH, 1.0 + STEP_S / 2) is Remedy.NOTHING
    assert watch.look(TOO_MUCH, 1.0 + STEP_S) is Remedy.RENEW
    assert watch.look(TOO_MUCH, 1.0 + 1.5 * STEP_S) is Remedy.NOTHING


def test_a_remedy_that_worked_is_the_last():
    watch = watch_at_rest()
    watch.look(TOO_MUCH, 1.0)
    assert watch.look(QUIET, 2.0) is Remedy.NOTHING
    assert watch.look(TOO_MUCH, 3.0) is Remedy.END_BUSY


def test_what_no_remedy_frees_is_the_engines_own():
    watch = watch_at_rest()
    for step in range(3):
        watch.look(TOO_MUCH, 1.0 + step * STEP_S)
    assert watch.look(TOO_MUCH, 10.0) is Remedy.NOTHING
    assert watch.look(TOO_MUCH + GROWTH_BYTES + 1, 11.0) is Remedy.END_BUSY
