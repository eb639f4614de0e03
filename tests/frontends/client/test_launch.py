"""A front end starts the engine it needs: once, and with the engine's own words when it fails."""

import os
import sys
import threading
from pathlib import Path

import pytest

from chatnet_client import launch
from chatnet_client.errors import EngineStartFailed
from chatnet_protocol.errors import CommandError

ENGINE = """
import json, os, sys
home = os.environ["CHATNET_HOME"]
with open(home + "/starts", "a") as starts:
    starts.write(" ".join(sys.argv[1:]) + "\\n")
fields = dict(session="s", boot="00", pid=int(os.environ["PID"]), ipc_version=1,
              product_version="0", events="ipc://a", commands="ipc://b", port=1)
with open(home + "/sessions/s/new", "w") as file:
    json.dump(fields, file)
os.rename(home + "/sessions/s/new", home + "/sessions/s/connection.json")
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"CHATNET_HOME": str(tmp_path), "PID": str(os.getpid())}


def test_many_front_ends_start_one_engine(environ: dict[str, str], tmp_path: Path) -> None:
    started: list[bool] = []

    def front_end() -> None:
        command = (sys.executable, "-S", "-c", ENGINE)
        session, new = launch.ensure_engine(environ, "s", ["12345"], command=command)
        assert session.engine is not None
        started.append(new)

    threads = [threading.Thread(target=front_end) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started) == [False, False, False, True]
    assert (tmp_path / "starts").read_text() == "12345 -d\n"
    assert (tmp_path / "sessions" / "s").stat().st_mode & 0o077 == 0


def test_a_failed_start_says_the_engine_s_sentence(environ: dict[str, str]) -> None:
    command = ("/bin/sh", "-c", "echo noise >&2; echo 'chatnet: UDP port 1 is busy.' >&2; exit 1")
    with pytest.raises(EngineStartFailed) as caught:
        launch.ensure_engine(environ, "s", [], command=command)
    assert (str(caught.value), caught.value.status) == ("UDP port 1 is busy.", 1)


def test_a_silent_failure_has_a_sentence_too(environ: dict[str, str]) -> None:
    with pytest.raises(EngineStartFailed, match="without a message") as caught:
        launch.ensure_engine(environ, "s", [], command=("/bin/sh", "-c", "exit 7"))
    assert caught.value.status == 7
    with pytest.raises(EngineStartFailed, match="cannot be started"):
        launch.ensure_engine(environ, "s", [], command=("/does/not/exist",))


def test_an_engine_that_never_comes_up(environ: dict[str, str]) -> None:
    with pytest.raises(EngineStartFailed, match="did not come up"):
        launch.ensure_engine(environ, "s", [], command=("/bin/true",), timeout_s=0.1)
    with pytest.raises(EngineStartFailed, match="in time"):
        launch.ensure_engine(
            environ, "s", [], command=("/bin/sh", "-c", "exec sleep 5"), timeout_s=0.1
        )


def test_folders_and_names_that_cannot_be(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no session name"):
        launch.ensure_engine(environ, "../s", [])
    (tmp_path / "sessions").write_text("in the way")
    with pytest.raises(EngineStartFailed, match="cannot be made"):
        launch.ensure_engine(environ, "s", [])
