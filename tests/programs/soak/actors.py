"""The processes around the engines that a soak starts and kills: people and followers."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from realworld.engines import RealEngine

NOT_RUNNING = 3
"""Exit code of a command line that met no engine."""
STOP_S = 60.0


class Talker:
    """A person at one engine, one process after another."""

    def __init__(self, engine: RealEngine, folder: Path, seed: str) -> None:
        self.engine = engine
        self.folder = folder
        self.seed = seed
        self.lives = 0
        self.process: subprocess.Popen[str] | None = None
        folder.mkdir(parents=True)

    def start(self) -> None:
        """A new person, who has nothing but the connection file."""
        self.lives += 1
        name = f"{self.engine.name}{self.lives}"
        command = [sys.executable, "-P", "-m", "soak.person", self.engine.connection_path]
        command += [str(self.folder), name, f"{self.seed}/{name}"]
        self.process = subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self) -> None:
        """SIGKILL."""
        self._say_if_dead()
        self.end()

    def end(self) -> None:
        """Whatever became of it."""
        assert self.process
        self.process.kill()
        self.process.communicate(timeout=STOP_S)

    def stop(self) -> None:
        """SIGTERM; what is under way is finished."""
        self._say_if_dead()
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=STOP_S)
        assert self.process.returncode == 0, said

    def _say_if_dead(self) -> None:
        assert self.process
        if self.process.poll() is not None:
            raise AssertionError(f"a front end ended by itself: {self.process.communicate()[1]}")

    @property
    def tapes(self) -> list[Path]:
        """One of each life that came so far as to attach."""
        return sorted(self.folder.glob("*.tape"))

    @property
    def offers(self) -> list[dict[str, str]]:
        """What was offered, or about to be: `id`, `name`, `digest`."""
        lines: list[str] = []  # without a last one that was cut off
        for path in sorted(self.folder.glob("*.offers")):
            lines += [line for line in path.read_text().splitlines(True) if line.endswith("\n")]
        return [json.loads(line) for line in lines]

    @property
    def states(self) -> set[bytes]:
        """Digests of the states of the nightly folder that were offered, or about to be."""
        lines: list[str] = []
        for path in sorted(self.folder.glob("*.nights")):
            lines += [line for line in path.read_text().splitlines(True) if line.endswith("\n")]
        return {bytes.fromhex(line) for line in lines}


class Follower:
    """`chatnet events --json --since N`, started again from the last whole line it printed."""

    def __init__(self, engine: RealEngine) -> None:
        self.engine = engine
        self.messages: list[dict[str, Any]] = []
        self.process: subprocess.Popen[str] | None = None
        self._grown = threading.Condition()
        self._ear: threading.Thread | None = None

    @property
    def last_no(self) -> int:
        """Number of the last message told of."""
        return int(self.messages[-1]["no"]) if self.messages else 0

    def start(self) -> None:
        """Go on after the last message."""
        command = ("events", "--json", "--session", self.engine.name, "--since", str(self.last_no))
        self.process = self.engine.spawn_cli(*command)
        self._ear = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
        self._ear.start()

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        for line in process.stdout:
            if not line.endswith("\n"):
                break  # killed in the middle of it
            event = json.loads(line)
            if event["type"] == "message":
                with self._grown:
                    self.messages.append(event)
                    self._grown.notify()

    def keep_alive(self) -> None:
        """It may have met no engine when it began; nothing else ends it."""
        assert self.process
        code = self.process.poll()
        if code == NOT_RUNNING:
            self._reap()
            self.start()
        elif code is not None:
            raise AssertionError(f"events ended with {code}: {self._reap()}")

    def end(self) -> None:
        """SIGKILL."""
        assert self.process
        self.process.kill()
        self._reap()

    def wait_for(self, no: int, within_s: float) -> bool:
        """Whether it tells of that message in time."""
        with self._grown:
            return self._grown.wait_for(lambda: self.last_no >= no, within_s)

    def _reap(self) -> str:
        assert self.process
        assert self._ear
        self._ear.join(STOP_S)
        self.process.wait(STOP_S)
        said = self.process.stderr.read() if self.process.stderr else ""
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        return said


def file_process_of(engine_pid: int) -> int | None:
    """The pid of an engine's file process, if it runs at the moment."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            command = (stat.parent / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == engine_pid and b"file_process" in command:
            return int(stat.parent.name)
    return None
