"""The kill table names tests that exist and patches what is there."""

import ast
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulate import mutants
from simulate.mutant import MUTANTS, Mutant

ROOT = Path(mutants.__file__).parents[3]


@pytest.mark.parametrize("one", MUTANTS.values(), ids=lambda one: one.name)
def test_a_wrong_engine_can_be_made_and_is_looked_at(one: Mutant) -> None:
    with ExitStack() as stack:
        for patch in one.make():
            stack.enter_context(patch)
    if one.test:
        path, _, name = one.test.partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name.partition("[")[0] in tests
