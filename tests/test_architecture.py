"""The rules of the tree that no linter knows: who may import whom, sizes, names, the top level.

Each rule takes one parsed file and yields what is wrong with it; it is applied to every file of
the checkout, and to a small example that breaks it, so that no rule can stop working unnoticed.
"""

import ast
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("protocol", "engine", "frontends")
TOP_LEVEL = {*FOLDERS, "tests", "scripts", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"}
MAX_FILE_LINES = 400
MAX_TEST_FILE_LINES = 600
MAX_FUNCTION_LINES = 60
MAX_PUBLIC_METHODS = 20
# Modules of tests that reach into private names.
MOST_REACHING = 71

ENGINE = "chatnet_engine"
FACE = ("addresses", "ipc", "errors", "ids", "limits", "text", "version")
PROTOCOL_FOR_FACES = tuple(f"chatnet_protocol.{name}" for name in FACE)
NODE = f"{ENGINE}.node"
# Types that every package of the engine shares.
TYPES = (f"{ENGINE}.addresses", f"{ENGINE}.clock")
LEAVES = ("chatnet_protocol", *TYPES, f"{ENGINE}.trace", f"{ENGINE}.deadlines")
STORE_OPS = f"{ENGINE}.store_ops"
# What the subjects of the node share, and what each may know of the others: never their insides.
SHARED = (
    "chatnet_protocol",
    *TYPES,
    f"{ENGINE}.trace",
    STORE_OPS,
    *(
        f"{NODE}.{name}"
        for name in (
            "commits",
            "config",
            "effects",
            "left_out",
            "link_session",
            "publisher",
            "waiting",
        )
    ),
    *(f"{NODE}.{name}" for name in ("replies", "subject", "turn")),
)
SUBJECTS: dict[str, tuple[str, ...]] = {
    "people": (),
    "links": ("people.peers", "people.gate", "people.invites"),
    "messaging": ("people.peers", "links.links"),
    "recovery": ("people.peers", "links.links", "messaging.messaging"),
    "transfers": ("people.peers", "links.links", "messaging.messaging"),
    "front_ends": ("people.peers", "links.links", "messaging.messaging"),
}
# A part, and the parts of ChatNet that it may import besides itself. The longest match counts.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "chatnet_protocol": (),
    **dict.fromkeys(TYPES, ()),
    f"{ENGINE}.trace": TYPES,
    f"{ENGINE}.deadlines": (),
    STORE_OPS: ("chatnet_protocol", *TYPES),
    **dict.fromkeys((f"{ENGINE}.secure", f"{ENGINE}.arq"), LEAVES),
    # A transfer's changes are operations of the store: its effects carry them.
    f"{ENGINE}.files": (*LEAVES, STORE_OPS),
    f"{ENGINE}.ledger": ("chatnet_protocol", f"{ENGINE}.trace", STORE_OPS),
    f"{ENGINE}.node": (
        "chatnet_protocol",
        *TYPES,
        *(f"{ENGINE}.{name}" for name in ("trace", "deadlines", "secure", "arq", "files")),
        STORE_OPS,
    ),
    **{
        f"{NODE}.{subject}": (
            *SHARED,
            *(f"{ENGINE}.{name}" for name in ("deadlines", "secure", "arq", "files")),
            *(f"{NODE}.{face}" for face in faces),
        )
        for subject, faces in SUBJECTS.items()
    },
    ENGINE: ("chatnet_protocol",),
    "chatnet_client": ("chatnet_protocol",),
    "chatnet_cli": ("chatnet_client", *PROTOCOL_FOR_FACES),
    "chatnet_qt": ("chatnet_client", *PROTOCOL_FOR_FACES),
}
SANS_IO = (
    "chatnet_protocol",
    *TYPES,
    *(
        f"{ENGINE}.{name}"
        for name in ("trace", "deadlines", "store_ops", "secure", "arq", "files", "ledger", "node")
    ),
)
# I/O, clocks, randomness: handed in by the caller, so that one seed replays a whole run.
IO_MODULES = frozenset(
    {
        "_thread",
        "asyncio",
        "concurrent",
        "datetime",
        "fcntl",
        "io",
        "mmap",
        "multiprocessing",
        "os",
        "queue",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "uuid",
        "zmq",
    }
)
# A package, and the only parts that may import it.
ONLY_IN = {
    "zmq": ("chatnet_client",),
    "sqlite3": (f"{ENGINE}.ledger", f"{ENGINE}.io"),
    "cryptography": (f"{ENGINE}.secure", f"{ENGINE}.io"),
    "prompt_toolkit": ("chatnet_cli",),
    "PyQt5": ("chatnet_qt.qt", "chatnet_qt.qt_dbus"),
}
# Under tests/: what tests import, what scripts start; tests lie in folders that mirror the tree.
SUPPORT, PROGRAMS = "support", "programs"
MIRRORS = {
    "protocol": "protocol/chatnet_protocol/",
    "engine": "engine/chatnet_engine/",
    "frontends": "frontends/chatnet_",
}
TEST_FOLDERS = frozenset({*MIRRORS, "e2e", "sim", "hostile", "checks"})
VAGUE_NAMES = frozenset({"utils", "util", "common", "manager", "managers", "helpers", "misc"})


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root, its text, its tree, its name when imported."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def parse(cls, path: str, text: str) -> "Source":
        return cls(path, text, ast.parse(text, path))

    @property
    def module(self) -> str:
        return ".".join(Path(self.path).with_suffix("").parts[1:]).removesuffix(".__init__")

    @property
    def is_product(self) -> bool:
        return self.path.startswith(FOLDERS)

    def imported(self) -> Iterator[str]:
        """Yields the full dotted name of everything imported, wherever in the file."""
        package = self.module.split(".")
        if not self.path.endswith("__init__.py"):
            package.pop()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                stem = ".".join([*base, *([node.module] if node.module else [])])
                yield from (f"{stem}.{alias.name}" for alias in node.names)


def within(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def wrong_neighbours(source: Source) -> Iterator[str]:
    """Who may import whom; `chatnet_client` and the faces never see the wire between engines."""
    part = max((p for p in MAY_IMPORT if within(source.module, (p,))), key=len, default=None)
    if part is None or not source.is_product:
        return
    for name in source.imported():
        wire = within(name, ("chatnet_protocol.wire",)) and part == "chatnet_client"
        if name.startswith("chatnet_") and (wire or not within(name, (part, *MAY_IMPORT[part]))):
            yield f"{part} must not import {name}"


def wrong_outsiders(source: Source) -> Iterator[str]:
    """I/O in a sans-I/O package, a library outside its part, a folder imported as a package."""
    for name in source.imported():
        top = name.partition(".")[0]
        if top in FOLDERS:
            yield f"{name}: import chatnet_..., the folder would give a second copy of the module"
        if not source.is_product:
            continue
        if top in IO_MODULES and within(source.module, SANS_IO):
            yield f"{source.module} is sans-I/O and must not import {top}"
        if top in ONLY_IN and not within(source.module, ONLY_IN[top]):
            yield f"{top} may only be imported by {' and '.join(ONLY_IN[top])}"


def hidden_state(source: Source) -> Iterator[str]:
    """Keys drawn instead of handed in, and functions that assign to their module."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Global):
            yield f"line {node.lineno}: module-level mutable state: {', '.join(node.names)}"
        called = node.func if isinstance(node, ast.Call) else None
        if (
            isinstance(called, ast.Attribute)
            and called.attr == "generate"
            and within(source.module, SANS_IO)
        ):
            yield f"line {called.lineno}: keys come from bytes handed in, never from .generate()"


def too_big(source: Source) -> Iterator[str]:
    """Files, functions and classes beyond their caps: split by the state they own."""
    lines = len(source.text.splitlines())
    cap = MAX_FILE_LINES if source.is_product else MAX_TEST_FILE_LINES
    if lines > cap:
        yield f"{lines} lines, at most {cap}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{node.name}: {length} lines, at most {MAX_FUNCTION_LINES}"
        elif isinstance(node, ast.ClassDef) and source.is_product:
            methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            public = {n.name for n in methods if not n.name.startswith("_")}
            if len(public) > MAX_PUBLIC_METHODS:
                yield f"{node.name}: {len(public)} public methods, at most {MAX_PUBLIC_METHODS}"


def badly_named(source: Source) -> Iterator[str]:
    """Names that own nothing, and files that would make a package of a plain folder."""
    parts = Path(source.path).with_suffix("").parts
    vague = VAGUE_NAMES.intersection(parts)
    if vague:
        yield f"{', '.join(sorted(vague))}: name the state that it owns"
    in_package = source.is_product and len(parts) > 2
    if parts[-1] == "__init__" and not in_package:
        yield "no __init__.py directly in protocol, engine, frontends, nor anywhere in tests"


def misplaced(source: Source) -> Iterator[str]:
    """Test files outside the mirrored folders, and what is no test inside them."""
    top, *folders, name = Path(source.path).parts
    if top != "tests":
        return
    is_test = name.startswith("test_") or name == "conftest.py"
    if folders[:1] in ([SUPPORT], [PROGRAMS]):
        if is_test:
            yield f"{name}: tests lie in the mirrored folders, those of the tools in tests/checks"
        if folders[0] == SUPPORT:
            programs = {path.stem for path in (ROOT / "tests" / PROGRAMS).iterdir()}
            for imported in source.imported():
                if imported.partition(".")[0] in programs:
                    yield f"{SUPPORT} must not import {imported}, which scripts start"
        return
    if not is_test:
        yield f"only test_*.py here; what tests import lies in tests/{SUPPORT}"
    if folders and folders[0] not in TEST_FOLDERS:
        yield f"tests/{folders[0]}: not one of {', '.join(sorted(TEST_FOLDERS))}"
    elif folders[1:] and folders[0] in MIRRORS:
        mirrored = MIRRORS[folders[0]] + "/".join(folders[1:])
        if not (ROOT / mirrored).is_dir():
            yield f"there is no {mirrored}, which this folder would mirror"


Rule = Callable[[Source], Iterator[str]]
RULES: tuple[Rule, ...] = (
    *(wrong_neighbours, wrong_outsiders, hidden_state, too_big, badly_named, misplaced),
)


@cache
def sources() -> tuple[Source, ...]:
    """All Python files of the checkout; read once, they do not change while tests run."""
    paths = sorted(
        path for top in (*FOLDERS, "tests", "scripts") for path in (ROOT / top).rglob("*.py")
    )
    return tuple(
        Source.parse(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths
    )


@pytest.mark.parametrize("rule", RULES)
def test_every_file_obeys(rule: Rule) -> None:
    wrong = [f"{source.path}: {problem}" for source in sources() for problem in rule(source)]
    assert not wrong, "\n".join(wrong)


def test_every_shipped_package_is_typed() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    shipped = set(build["targets"]["wheel"]["packages"])
    assert shipped == {f"{folder}/{path.name}" for folder in FOLDERS for path in packages(folder)}
    assert [name for name in shipped if not (ROOT / name / "py.typed").exists()] == []


def test_mypy_checks_every_module_and_the_list_of_reaching_tests_only_gets_shorter() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    assert not [part for part in tool["mypy"]["overrides"] if part.get("ignore_errors")]
    ignores = tool["ruff"]["lint"]["per-file-ignores"]
    reaching = [path for path, rules in ignores.items() if rules == ["SLF"]]
    assert [path for path in reaching if not (ROOT / path).exists()] == []
    assert len(reaching) <= MOST_REACHING


def packages(folder: str) -> list[Path]:
    return [path.parent for path in (ROOT / folder).glob("*/__init__.py")]


ARQ = "engine/chatnet_engine/arq/link.py"
LINKS = "engine/chatnet_engine/node/links/links.py"
QT = "frontends/chatnet_qt/window.py"
METHODS = "class A:\n" + "".join(f"    def m{n}(self): ...\n" for n in range(21))
BROKEN: tuple[tuple[Rule, str, str], ...] = (
    (wrong_neighbours, "protocol/chatnet_protocol/ids.py", "from chatnet_client import Client"),
    (wrong_neighbours, ARQ, "import chatnet_engine.node.config"),
    (wrong_neighbours, ARQ, "from ..files import names"),
    (wrong_neighbours, ARQ, "def f():\n    from .. import ledger"),
    (wrong_neighbours, "engine/chatnet_engine/node/a.py", "from chatnet_engine.ledger import Row"),
    (wrong_neighbours, LINKS, "from chatnet_engine.node.messaging.messaging import Messaging"),
    (wrong_neighbours, LINKS, "from chatnet_engine.node.people.people import People"),
    (wrong_neighbours, LINKS, "from chatnet_engine.node.node import Node"),
    (wrong_neighbours, "engine/chatnet_engine/io/a.py", "import chatnet_client"),
    (wrong_neighbours, "frontends/chatnet_client/a.py", "from chatnet_protocol import wire"),
    (wrong_neighbours, "frontends/chatnet_cli/a.py", "from chatnet_engine.node import Node"),
    (wrong_neighbours, "frontends/chatnet_cli/a.py", "import chatnet_qt.app"),
    (wrong_neighbours, QT, "from chatnet_protocol.wire.messages import Text"),
    (wrong_outsiders, ARQ, "import time"),
    (wrong_outsiders, ARQ, "def f():\n    from os import path"),
    (wrong_outsiders, ARQ, "import sqlite3"),
    (wrong_outsiders, "frontends/chatnet_cli/a.py", "import zmq"),
    (wrong_outsiders, QT, "from PyQt5.QtWidgets import QLabel"),
    (wrong_outsiders, "tests/engine/arq/test_link.py", "from engine.chatnet_engine import arq"),
    (hidden_state, "engine/chatnet_engine/secure/keys.py", "KEY = X25519PrivateKey.generate()"),
    (hidden_state, QT, "def f():\n    global window\n    window = 1"),
    (too_big, ARQ, "a = 1\n" * 401),
    (too_big, "tests/engine/arq/test_link.py", "a = 1\n" * 601),
    (too_big, ARQ, "def f():\n" + "    a = 1\n" * 60),
    (too_big, ARQ, METHODS),
    (badly_named, "engine/chatnet_engine/arq/utils.py", ""),
    (badly_named, "frontends/chatnet_qt/common/a.py", ""),
    (badly_named, "engine/__init__.py", ""),
    (badly_named, "tests/engine/arq/__init__.py", ""),
    (misplaced, "tests/world.py", ""),
    (misplaced, "tests/engine/arq/pair.py", ""),
    (misplaced, "tests/engine/nothing/test_pair.py", ""),
    (misplaced, "tests/arq/test_pair.py", ""),
    (misplaced, "tests/support/simworld/test_pair.py", ""),
    (misplaced, "tests/programs/conftest.py", ""),
    (misplaced, "tests/support/simworld/pair.py", "from simulate.world import World"),
)


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_a_rule_can_fail(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source.parse(path, text)))


ALLOWED = (
    (ARQ, "import heapq, msgspec\nfrom chatnet_protocol.wire import packet\nfrom . import ranges"),
    (LINKS, "from chatnet_engine.node.people.peers import Peers"),
    ("engine/chatnet_engine/ledger/a.py", "import sqlite3"),
    ("engine/chatnet_engine/node/a.py", "from ..arq import Link\nfrom ..secure import Sealed"),
    (
        "engine/chatnet_engine/io/a.py",
        "import socket, select\nfrom chatnet_engine.ledger import Row",
    ),
    ("frontends/chatnet_client/a.py", "import zmq\nfrom chatnet_protocol.ipc import view"),
    ("frontends/chatnet_qt/qt.py", "from PyQt5 import QtWidgets"),
    ("frontends/chatnet_qt/qt_dbus.py", "from PyQt5 import QtDBus"),
    (QT, "from chatnet_client import Client\nfrom chatnet_protocol.ipc.view import View"),
    (
        "tests/engine/arq/test_link.py",
        "import time\nfrom chatnet_engine.node import Node\n" + METHODS,
    ),
    ("tests/frontends/qt/conftest.py", ""),
    ("tests/test_tree.py", "import simulate"),
    ("tests/support/simworld/pair.py", "import simworld.clock"),
    ("tests/programs/simulate/world.py", "import simworld.clock"),
)


@pytest.mark.parametrize(("path", "text"), ALLOWED)
def test_what_is_allowed_passes_every_rule(path: str, text: str) -> None:
    source = Source.parse(path, text)
    assert [problem for rule in RULES for problem in rule(source)] == []


def strangers(names: set[str]) -> set[str]:
    return {name for name in names if name not in TOP_LEVEL and not name.startswith(".")}


def test_the_top_level_holds_nothing_else() -> None:
    assert strangers({"README.md", ".gitignore", "setup.py", "docs"}) == {"setup.py", "docs"}
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    assert strangers({line.partition("/")[0] for line in listed.stdout.splitlines()}) == set()
