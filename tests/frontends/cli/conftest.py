"""A command line whose streams are strings, beside an engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_shell import Replaced, Shell
from local_engine import LocalEngine


@pytest.fixture
def home(own_home: Path) -> Path:
    return own_home / "chatnet"


@pytest.fixture
def shell(home: Path) -> Shell:
    return Shell(home)


@pytest.fixture
def local(home: Path) -> Iterator[LocalEngine]:
    """An engine of the product's own rules, and its peer."""
    with LocalEngine(home) as engine:
        yield engine


@pytest.fixture
def replaced() -> type[Replaced]:
    return Replaced
