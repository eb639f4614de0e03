"""A copy of the sources as mutmut wants them, and what came out of its run there.

mutmut finds modules by their path below the working directory, so the packages of the checkout
lie side by side in the copy. It writes all mutants of a function into one file and chooses among
them by an environment variable; which tests reach a function it learns by running them once.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = """\
[tool.mutmut]
source_paths = ["chatnet_engine", "chatnet_protocol"]
only_mutate = ["chatnet_engine/{package}/*"]
also_copy = ["protocol"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-m", "not statistics",
    "--deselect", "tests/engine/node/test_containment.py"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
track_dependencies = false
timeout_multiplier = 1.5
timeout_constant = 4.0

[tool.pytest.ini_options]
pythonpath = [".", "tests/support", "tests/programs"]
addopts = ["--import-mode=importlib", "--strict-markers", "--strict-config"]
filterwarnings = ["error"]
timeout = 60
markers = ["e2e: real processes on real sockets", "statistics: slow"]
"""
KILLED = frozenset({1, 3, 36, 24, 152, -24, 255, -9, -6, -11})
"""mutmut's exit codes of a failed test, an error inside pytest, a time limit (-9: it went on for a
second after the signal), and a crash of the interpreter."""
SURVIVED = frozenset({0, 5, 33})
"""All tests passed, or none reaches the function."""


@dataclass(frozen=True, order=True)
class Change:
    """One mutant: the function, and its lines before and after. Line numbers would not last."""

    function: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.function}\n- {self.before}\n+ {self.after}"


class MutationBroken(Exception):
    """mutmut itself did not work; nothing is known of the tests."""


class Workplace:
    """One package's copy; `mutants()` after `prepare()`, `results()` after `run()`."""

    def __init__(self, folder: Path, package: str) -> None:
        self.folder = folder
        self.package = package

    def prepare(self, tests: Sequence[str]) -> None:
        """Copies the checkout and writes the mutants; results of an unchanged file are kept."""
        for source in ("engine/chatnet_engine", "protocol/chatnet_protocol", "tests"):
            target = self.folder / Path(source).name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        vectors = self.folder / "protocol" / "vectors"
        shutil.copytree(ROOT / "protocol/vectors", vectors, dirs_exist_ok=True)
        settings = SETTINGS.format(package=self.package, tests=json.dumps(list(tests)))
        (self.folder / "pyproject.toml").write_text(settings)
        self._quick("generate")

    def run(self, names: Sequence[str]) -> None:
        """Has mutmut try these mutants on one core, the quick ones first."""
        self._quick("run", "--max-children", "1", *names)

    def mutants(self) -> Iterator[tuple[str, Change]]:
        """Yields mutmut's name of each mutant and what it changes.

        Not those of the ledger that change nothing but capitals: SQL does not know them conflicted.
        """
        root = self.folder / "mutants"
        for path in sorted((root / "chatnet_engine" / self.package).rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts)
            for name, change in _changes(module, path.read_text()):
                capitals = change.before.lower() == change.after.lower()
                if self.package != "ledger" or not capitals:
                    yield name, change

    def forget_survivors(self, mutants: Mapping[str, Change], but: Container[Change]) -> None:
        """They are to be tried once more, with new tests, which may reach other functions."""
        (self.folder / "mutants/mutmut-stats.json").unlink(missing_ok=True)
        for path in (self.folder / "mutants").rglob("*.meta"):
            kept = json.loads(path.read_text())
            codes = kept["exit_code_by_key"]
            for name in codes:
                if codes[name] in SURVIVED and name in mutants and mutants[name] not in but:
                    codes[name] = None
            path.write_text(json.dumps(kept))

    def results(self) -> dict[str, bool]:
        """Whether each mutant that was tried was killed, by mutmut's name."""
        found: dict[str, bool] = {}
        for path in (self.folder / "mutants").rglob("*.meta"):
            for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
                if code is None:
                    continue
                if code not in KILLED | SURVIVED:
                    raise MutationBroken(f"{name}: exit code {code}")
                found[name] = code in KILLED
        return found

    def _quick(self, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
        environment["PYTHONPATH"] = str(ROOT / "tests/programs")
        command = [sys.executable, "-P", "-m", "mutation.quick", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
            raise MutationBroken(f"mutmut ended with {done.returncode}\n{last}")


def _changes(module: str, text: str) -> Iterator[tuple[str, Change]]:
    """Compares each `..._mutmut_N` of a generated file with its `..._mutmut_orig`."""
    lines = text.splitlines()
    functions: dict[str, list[str]] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name:
            stem = node.name.partition("__mutmut_")[0]
            body = lines[node.lineno - 1 : node.end_lineno]
            functions[node.name] = [line.replace(node.name, stem).strip() for line in body]
    for name, body in functions.items():
        stem, _, number = name.partition("__mutmut_")
        if number == "orig":
            continue
        diff = list(unified_diff(functions[f"{stem}__mutmut_orig"], body, n=0, lineterm=""))[3:]
        before = " ".join(line[1:] for line in diff if line.startswith("-"))
        after = " ".join(line[1:] for line in diff if line.startswith("+"))
        plain = stem.removeprefix("xǁ").removeprefix("x_").replace("ǁ", ".")
        function = f"{module}.{plain}".removeprefix("chatnet_engine.")
        yield f"{module}.{name}", Change(function, before, after)
