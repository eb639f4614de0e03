"""What a unit that raised leaves to be committed, published, answered or sent: nothing."""

from collections.abc import Callable

import msgspec

from chatnet_engine.node.node import Node


class Leftovers:
    """Compares, around each unit of an engine, what is about to leave it."""

    def __init__(self, node: Node) -> None:
        self.found: list[str] = []
        self._parts = node._parts
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
        parts, out = self._parts, self._parts.transfers._out
        return {
            "operations": [msgspec.msgpack.encode(one.op) for one in parts.commits._waiting],
            "askers": [list(one.askers) for one in parts.commits._waiting],
            "events": [parts.publisher.seq, *(parts.publisher._staged or ())],
            "effects": list(parts.effects),
            "controls": list(out.controls),
            "requests": list(out.frames),
            "lists": list(parts.transfers.offering._waiting),
            "offers": list(parts.transfers.offering._results),
            "verdicts": list(parts.gate._verdicts),
        }
