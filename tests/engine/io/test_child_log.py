"""The lines of a child in the engine's log: whole, bounded, harmless."""

import logging
import os
from collections.abc import Iterator

import pytest

from chatnet_engine.io.child_log import (
    MAX_LINE_BYTES,
    MAX_LINES_A_PERIOD,
    PERIOD_S,
    READ_EVERY_S,
    ChildLog,
)


@pytest.fixture
def child(caplog: pytest.LogCaptureFixture) -> Iterator[ChildLog]:
    caplog.set_level(logging.INFO)
    child = ChildLog("child")
    yield child
    child.close()


def test_lines_come_whole_however_they_are_cut(
    child: ChildLog, caplog: pytest.LogCaptureFixture
) -> None:
    os.write(child.write_fd, b"INFO one\nINFO t")
    child.drain(0.0)
    os.write(child.write_fd, b"wo \xff\n")
    child.drain(0.1)
    assert caplog.messages == ["child: INFO one", "child: INFO two \ufffd"]


def test_a_child_that_repeats_itself_gets_a_few_lines_and_a_count(
    child: ChildLog, caplog: pytest.LogCaptureFixture
) -> None:
    for turn in range(40):
        os.write(child.write_fd, b"again\n" * 100)
        child.drain(turn * 0.1)
    assert len(caplog.messages) == MAX_LINES_A_PERIOD
    child.drain(PERIOD_S)
    left_out = 4000 - MAX_LINES_A_PERIOD
    assert caplog.messages[-1] == f"child: {left_out} further lines left out"
    os.write(child.write_fd, b"later\n")
    child.drain(PERIOD_S + 1)
    assert caplog.messages[-1] == "child: later"


def test_a_line_without_end_is_cut_and_takes_no_memory(
    child: ChildLog, caplog: pytest.LogCaptureFixture
) -> None:
    os.write(child.write_fd, b"x" * 60_000)
    child.drain(0.0)
    os.write(child.write_fd, b"y\n")
    child.drain(0.1)
    assert caplog.messages == ["child: " + "x" * MAX_LINE_BYTES, "child: y"]


def test_a_full_pipe_does_not_make_the_child_wait(child: ChildLog) -> None:
    os.write(child.write_fd, b"z" * 65536)
    with pytest.raises(BlockingIOError):
        os.write(child.write_fd, b"z" * 65536)


def test_an_idle_engine_looks_now_and_then_only(
    child: ChildLog, caplog: pytest.LogCaptureFixture
) -> None:
    child.handle_timeout(10.0)
    os.write(child.write_fd, b"line\n")
    child.handle_timeout(10.0 + READ_EVERY_S / 2)
    assert caplog.messages == []
    child.handle_timeout(10.0 + READ_EVERY_S)
    assert caplog.messages == ["child: line"]
