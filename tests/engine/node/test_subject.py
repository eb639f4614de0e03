"""Every kind of command and of result has exactly one owner."""

from typing import get_args

import pytest

from chatnet_engine.node.subject import merge
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc import commands as cmd
from simworld.pair import Pair

A: dict[type, str] = {int: "a"}
B: dict[type, str] = {str: "b"}


def test_a_table_has_each_kind_once() -> None:
    assert merge([A, B], [int, str]) == A | B
    with pytest.raises(AssertionError, match="int: more than one owner"):
        merge([A, A], [int])
    with pytest.raises(AssertionError, match="bytes, str: no owner"):
        merge([A], [int, str, bytes])
    with pytest.raises(AssertionError, match="str: of no known kind"):
        merge([A | B], [int])


def test_a_node_knows_every_command_and_every_result() -> None:
    node = Pair(1).a.node
    assert node
    assert set(node.commands) == set(get_args(cmd.Command))
    assert set(node.results) == set(get_args(c.OpResult))
