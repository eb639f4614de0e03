"""Receiver indices: nobody gets one that is held."""

from random import Random
from typing import Any

import pytest

from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.identity import Identity
from chatnet_engine.secure.local import Local


@pytest.mark.parametrize("table", ["sessions", "initiations", "half_open"])
def test_an_index_is_drawn_again_while_anybody_holds_it(table: str) -> None:
    draws = [index.to_bytes(4, "little") for index in (5, 5, 6)]
    local = Local(
        identity=Identity.from_private_bytes(Random(1).randbytes(32)),
        incarnation=1,
        port=1,
        random=lambda size: draws.pop(0),
        config=SecureConfig(),
    )
    held: dict[int, Any] = getattr(local, table)
    held[5] = object()
    assert local.draw_index() == 6
