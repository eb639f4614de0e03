"""What a unit that raised leaves to be committed, published, answered or sent: nothing."""

from collections.abc import Callable

import msgspec

from chatnet_engine.node.node import Node


class Leftovers:
    """Compares, around each unit of an engine, what is about to leave it."""

    def __init__(self, node: Node) -> None:
        self.found: list[str] = []
        self._node = node
        self._unit = node.contained._unit
        node.contained._unit = self._checked  # type: ignore[method-assign]

    def _checked(self, act: Callable[[], None], *, keep: bool = False) -> str | None:
        before = self._waiting()
        error = self._unit(act, keep=keep)
        if error is not None and not keep:
            for name, left in self._waiting().items():
                if left != before[name][: len(left)]:
                    self.found.append(f"{name} left behind: {left[len(before[name]) :]}")
        return error

    def _waiting(self) -> dict[str, list[object]]:
        node, out = self._node, self._node.transfers.transfers._out
        return {
            "operations": [msgspec.msgpack.encode(one.op) for one in node.turn.commits._waiting],
            "askers": [list(one.askers) for one in node.turn.commits._waiting],
            "events": [node.turn.publisher.seq, *(node.turn.publisher._staged or ())],
            "effects": list(node.turn.effects),
            "controls": list(out.controls),
            "requests": list(out.frames),
            "lists": list(node.transfers.transfers.offering._waiting),
            "offers": list(node.transfers.transfers.offering._results),
            "verdicts": list(node.gate._verdicts),
        }
