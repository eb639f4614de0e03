"""scripts/chatnet and scripts/test: set up once, say in one sentence what is missing, then exec.

A stand-in for Python plays the machine: it answers what the scripts ask, notes what they install,
and fails on demand. The real thing, with a real pip, is what CI does in a clean checkout.
"""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
TOOLS = (
    *("awk", "cat", "chmod", "cmp", "cp", "flock", "ldd", "ln", "mkdir", "mv", "readlink", "rm"),
    "tail",
)

FAKE_PYTHON = """#!/bin/sh
# Started as: -I -c CODE | -I -m venv --clear DIR | -I -m pip ... | -I -m compileall ... |
# -P -m MODULE ARGS
case "$2 $3" in
"-m compileall") shift 3; echo "compiled $*" >>"$NOTES" ;;
"-m venv")
    echo venv >>"$NOTES"
    mkdir -p "$5/bin"
    cp "$0" "$5/bin/python"
    ;;
"-m pip")
    shift 3
    [ "$1" = --version ] && exit 0
    echo "pip $*" >>"$NOTES"
    case "$*" in *requirements-window*) PIP_SAYS=${WINDOW_SAYS:-${PIP_SAYS:-}} ;; esac
    [ -z "${PIP_SAYS:-}" ] && exit 0
    echo "$PIP_SAYS"
    exit 1
    ;;
"-m "*)
    echo "pid $$"
    echo "cwd $PWD"
    [ -z "${PYTHONDONTWRITEBYTECODE:-}" ] || echo "keeps no byte code"
    for argument in "$@"; do echo "<$argument>"; done
    exit "${STATUS:-0}"
    ;;
*version_info\\ \\<*) [ "$VERSION" != 3.9 ] ;;
*version_info*) echo "$VERSION" ;;
*ensurepip*) [ -z "${NO_ENSUREPIP:-}" ] ;;
*realpath*) echo "$0" ;;
*PyQt5*) [ -n "${SYSTEM_PYQT:-}" ] && echo "$SYSTEM_PYQT" ;;
*purelib*) echo "$SITE" ;;
*) exit 9 ;;
esac
"""


class Machine:
    """A checkout with nothing but the scripts, and a PATH with nothing but some tools."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "check out"
        self.tools = folder / "tools"
        self.notes = folder / "notes"
        self.env = {"PATH": str(self.tools), "NOTES": str(self.notes), "VERSION": "3.12"}
        (self.root / "scripts").mkdir(parents=True)
        self.tools.mkdir()
        for name in ("chatnet", "test", "environment.sh", "debian-packages.txt"):
            shutil.copy(SCRIPTS / name, self.root / "scripts")
        for name in (
            "pyproject.toml",
            "scripts/requirements.lock",
            "scripts/requirements-window.lock",
            "scripts/requirements-dev.lock",
        ):
            (self.root / name).write_text(f"{name} 1\n")
        for name in TOOLS:
            found = shutil.which(name)
            assert found, f"{name} is part of every Debian"
            (self.tools / name).symlink_to(found)

    def give_python(self, name: str = "python3") -> None:
        (self.tools / name).write_text(FAKE_PYTHON)
        (self.tools / name).chmod(0o755)

    def start(self, *command: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "scripts" / command[0]), *command[1:]],
            cwd=cwd or "/",
            env=self.env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *command: str, cwd: Path | None = None) -> tuple[int, str, str]:
        process = self.start(*command, cwd=cwd)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def installed(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_machine_without_python_gets_one_sentence(machine: Machine) -> None:
    status, out, err = machine.run("chatnet", "status")
    assert (status, out) == (1, "")
    assert "Python 3.11 or newer is needed, found: none" in err
    assert "apt-get install python3 python3-venv" in err


def test_an_old_python_is_named(machine: Machine) -> None:
    machine.give_python()
    machine.env["VERSION"] = "3.9"
    status, _, err = machine.run("chatnet")
    assert status == 1
    assert "found: 3.9" in err


def test_a_python_without_venv_names_the_package(machine: Machine) -> None:
    machine.give_python()
    machine.env["NO_ENSUREPIP"] = "1"
    status, _, err = machine.run("test")
    assert status == 1
    assert "apt-get install python3.12-venv" in err


def test_a_python_of_another_name_is_found(machine: Machine) -> None:
    machine.give_python("python3.11")
    assert machine.run("chatnet")[0] == 0
    assert machine.installed()[0] == "venv"


def test_set_up_once_then_nothing(machine: Machine) -> None:
    machine.give_python()
    assert machine.run("test")[0] == 0
    first = machine.installed()
    assert first[0] == "venv"
    assert "--require-hashes" in first[1]
    assert "--no-deps" in first[1]
    assert first[2].endswith(f"--editable {machine.root}")
    for command in ("test", "chatnet"):
        assert machine.run(command)[2] == ""
    assert machine.installed() == first


@pytest.mark.parametrize(
    "changed", ["pyproject.toml", "scripts/requirements.lock", "scripts/requirements-window.lock"]
)
def test_a_changed_requirement_is_installed_into_the_same_environment(
    machine: Machine, changed: str
) -> None:
    machine.give_python()
    machine.run("chatnet")
    (machine.root / changed).write_text("2\n")
    machine.run("chatnet")
    kinds = [line.partition(" ")[0] for line in machine.installed()]
    assert kinds == ["venv", *[*["pip"] * 3, "compiled"] * 2]


def test_a_moved_checkout_is_wired_again(machine: Machine) -> None:
    machine.give_python()
    machine.run("chatnet")
    machine.root = machine.root.rename(machine.root.with_name("moved"))
    machine.run("chatnet")
    assert machine.installed()[-3].endswith(f"--editable {machine.root}")


def test_no_start_waits_for_byte_code(machine: Machine) -> None:
    """It is made with the environment, and kept when the sources change."""
    machine.give_python()
    machine.env["PYTHONDONTWRITEBYTECODE"] = "1"
    assert "byte code" not in machine.run("chatnet")[1]
    folders = " ".join(f"{machine.root}/{name}" for name in ("protocol", "engine", "frontends"))
    assert machine.installed()[-1] == f"compiled -q {folders}"


NO_WHEEL = "ERROR: No matching distribution found for pyqt5==5.15.11"


def test_without_a_wheel_of_pyqt_the_terminal_works_and_says_what_to_install(
    machine: Machine,
) -> None:
    machine.give_python()
    machine.env["WINDOW_SAYS"] = NO_WHEEL
    status, _, err = machine.run("chatnet")
    assert status == 0
    assert "the terminal works" in err
    assert "apt-get install python3-pyqt5" in err
    assert machine.run("chatnet")[2] == "", "said once"


@pytest.mark.parametrize("later", [False, True])
def test_without_a_wheel_the_pyqt_of_the_system_is_taken_also_when_it_comes_later(
    machine: Machine, tmp_path: Path, later: bool
) -> None:
    machine.give_python()
    site, system = tmp_path / "site", tmp_path / "system" / "PyQt5"
    site.mkdir()
    system.mkdir(parents=True)
    machine.env |= {"WINDOW_SAYS": NO_WHEEL, "SITE": str(site)}
    if later:
        machine.run("chatnet")
    machine.env["SYSTEM_PYQT"] = str(system)
    status, _, err = machine.run("chatnet")
    assert (status, (site / "PyQt5").resolve()) == (0, system)
    assert "python3-pyqt5" not in err
    (machine.root / "pyproject.toml").write_text("2\n")
    del machine.env["WINDOW_SAYS"]
    assert machine.run("chatnet")[0] == 0
    assert not (site / "PyQt5").exists(), "a wheel is not written into the system's package"


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ("... Temporary failure in name resolution", "the Python package index cannot be reached"),
        ("[Errno 28] No space left on device", "the disk is full"),
        ("something else", "failed in:"),
    ],
)
def test_a_failed_set_up_says_why_and_is_tried_again(
    machine: Machine, says: str, sentence: str
) -> None:
    machine.give_python()
    machine.env["PIP_SAYS"] = says
    status, out, err = machine.run("chatnet")
    assert (status, out) == (1, "")
    assert says in err
    assert sentence in err
    del machine.env["PIP_SAYS"]
    assert machine.run("chatnet")[0] == 0


def test_missing_libraries_of_the_window_are_one_sentence_and_no_failure(machine: Machine) -> None:
    machine.give_python()
    platforms = machine.root / ".venv/lib/python3.12/site-packages/PyQt5/Qt5/plugins/platforms"
    platforms.mkdir(parents=True)
    (platforms / "libqxcb.so").touch()
    (machine.tools / "ldd").unlink()
    (machine.tools / "ldd").write_text('#!/bin/sh\necho "libxcb-icccm.so.4 => not found"\n')
    (machine.tools / "ldd").chmod(0o755)
    status, _, err = machine.run("chatnet")
    assert status == 0
    assert "(libxcb-icccm.so.4); the terminal works without" in err
    assert re.search(r"apt-get install .*\blibxcb-icccm4\b", err)
    assert "xvfb" not in err


def test_two_at_once_set_up_once(machine: Machine) -> None:
    machine.give_python()
    both = [machine.start("chatnet"), machine.start("chatnet")]
    assert [(process.communicate(timeout=60), process.returncode)[1] for process in both] == [0, 0]
    assert machine.installed().count("venv") == 1


def test_the_program_takes_the_place_of_the_script(machine: Machine, tmp_path: Path) -> None:
    machine.give_python()
    machine.run("chatnet")
    machine.env["STATUS"] = "3"
    process = machine.start("chatnet", "send", "two  words", "*", "", cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (3, "")
    wanted = [f"pid {process.pid}", f"cwd {tmp_path}", "<-P>", "<-m>", "<chatnet_cli>"]
    assert out.splitlines() == [*wanted, "<send>", "<two  words>", "<*>", "<>"]


def test_a_link_to_the_script_finds_its_checkout(machine: Machine, tmp_path: Path) -> None:
    machine.give_python()
    link = tmp_path / "chatnet"
    link.symlink_to(machine.root / "scripts" / "chatnet")
    machine.run("chatnet")
    result = subprocess.run([link], env=machine.env, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_paths_given_to_the_tests_are_those_of_the_caller(machine: Machine, tmp_path: Path) -> None:
    machine.give_python()
    machine.run("test")
    (tmp_path / "test_x.py").touch()
    assert f"cwd {machine.root}\n" in machine.run("test", "-q", cwd=tmp_path)[1]
    assert f"cwd {tmp_path}\n" in machine.run("test", "test_x.py::test_a", cwd=tmp_path)[1]


def test_locks_hold_hashes_and_no_addresses() -> None:
    for name in ("requirements.lock", "requirements-window.lock", "requirements-dev.lock"):
        text = (SCRIPTS / name).read_text("ascii")
        assert not re.search(r"://|@ |file:|^-|\bindex\b", text, re.MULTILINE)
        entries = re.split(r"\n(?=\w)", text.partition("\n")[2])
        assert all(re.match(r"[\w.-]+==\S+ ", entry) for entry in entries)
        assert all("--hash=sha256:" in entry for entry in entries)


def test_locks_cover_what_is_declared() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = data["project"]
    extra = project["optional-dependencies"]["qt"]
    window = [entry for entry in extra if entry.startswith("PyQt5")]
    runtime = [*project["dependencies"], *data["build-system"]["requires"]]
    runtime += [entry for entry in extra if entry not in window]
    for name, declared in (
        ("requirements.lock", runtime),
        ("requirements-window.lock", window),
        ("requirements-dev.lock", data["dependency-groups"]["dev"]),
    ):
        locked = set(re.findall(r"^([\w.-]+)==", (SCRIPTS / name).read_text(), re.MULTILINE))
        wanted = {re.split(r"[^\w.-]", entry)[0].lower().replace("_", "-") for entry in declared}
        assert wanted - locked == set()


def test_everything_meant_to_be_run_can_be_run() -> None:
    for path in (*SCRIPTS.iterdir(), ROOT / ".ci" / "run"):
        assert os.access(path, os.X_OK) == (path.suffix == ""), path
