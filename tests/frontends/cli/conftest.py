"""A command line whose streams are strings, beside an engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_shell import Replaced, Shell
from fake_engine import FakeCore, FakeEngine
from local_engine import LocalEngine


@pytest.fixture
def home(own_home: Path) -> Path:
    return own_home / "chatnet"


@pytest.fixture
def shell(home: Path) -> Shell:
    return Shell(home)


@pytest.fixture
def core() -> FakeCore:
    return FakeCore()


@pytest.fixture
def engine(home: Path, core: FakeCore) -> Iterator[FakeEngine]:
    with FakeEngine(home, core) as engine:
        yield engine


@pytest.fixture
def local(home: Path) -> Iterator[LocalEngine]:
    """The product's own rules, for the tests that have moved to them."""
    with LocalEngine(home) as engine:
        yield engine


@pytest.fixture
def replaced() -> type[Replaced]:
    return Replaced
