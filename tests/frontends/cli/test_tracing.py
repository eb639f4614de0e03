"""`chatnet trace`: lines, objects, what was lost, and an engine that is not there."""

import io
import itertools
import json
import threading
from pathlib import Path

import pytest

from chatnet_client import tracing as follower
from chatnet_protocol import codec
from chatnet_protocol.ipc.envelope import TOPIC_TRACE, TOPIC_TRACE_DETAIL, TraceFrame
from chatnet_protocol.ipc.trace import TraceRow
from cli_shell import Shell
from local_engine import LocalEngine

ROW = TraceRow(1, "connectivity:path_assigned", {"address": "ipv4#5f1c02:12346", "by": "\x1b[2J"})


class Reader(io.StringIO):
    """Closes the pipe after so many lines."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.left = lines

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left < 0:
            raise BrokenPipeError
        return super().write(text)


def read(
    shell: Shell, local: LocalEngine, lines: int, *words: str, topic: bytes, step: int = 1
) -> list[str]:
    """What `trace` prints while an engine publishes a trace after the other."""
    over = threading.Event()

    def publish() -> None:
        for number in itertools.count():
            frame = codec.pack(TraceFrame(b"bootboot", number * step, 1_760_000_000_123, [ROW]))
            local.do(lambda world: world.engine.publish(topic, frame))  # noqa: B023 (run at once)
            if over.wait(0.01):
                return

    thread = threading.Thread(target=publish)
    thread.start()
    shell.stdout = reader = Reader(lines)
    try:
        assert shell.run("trace", *words) == 0
    finally:
        over.set()
        thread.join()
    return reader.getvalue().splitlines()


def test_each_trace_is_a_line_that_no_terminal_obeys(shell: Shell, local: LocalEngine) -> None:
    [line] = read(shell, local, 1, topic=TOPIC_TRACE)
    assert line[8:].startswith(".123 connectivity:path_assigned peer=1 address=ipv4#5f1c02:12346 ")
    assert "\x1b" not in line
    assert "lost" not in shell.err


def test_json_has_an_object_for_each_trace(shell: Shell, local: LocalEngine) -> None:
    lines = read(shell, local, 2, "--json", "--packets", topic=TOPIC_TRACE_DETAIL)
    assert [json.loads(line) for line in lines] == 2 * [
        {
            "type": "trace",
            "at_ms": 1_760_000_000_123,
            "peer": 1,
            "kind": "connectivity:path_assigned",
            "fields": {"address": "ipv4#5f1c02:12346", "by": "\x1b[2J"},
        }
    ]


def test_lost_traces_are_counted(shell: Shell, local: LocalEngine) -> None:
    read(shell, local, 3, topic=TOPIC_TRACE, step=5)
    assert "4 traces were lost here" in shell.err


def test_an_engine_that_is_gone_ends_it(
    shell: Shell, local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "HEADS_WITHIN_S", -1.0)
    monkeypatch.setattr("chatnet_cli.verbs.tracing.READER_CHECK_S", 0.0)
    assert shell.run("trace") == 3
    assert "The engine has ended, or is stopped." in shell.err


def test_without_an_engine_there_is_nothing_to_follow(shell: Shell, home: Path) -> None:
    assert shell.run("trace") == 3
