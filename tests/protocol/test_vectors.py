"""Golden bytes: what is written today is what was written when the vectors were made."""

import json
from typing import Any, get_args

import pytest

import golden_vectors as golden
from chatnet_protocol.ipc import commands, envelope, events, rows
from chatnet_protocol.wire import messages as wire


def load(name: str) -> list[dict[str, Any]]:
    content = json.loads((golden.VECTORS / name).read_text(encoding="utf-8"))
    vectors: list[dict[str, Any]] = content["vectors"]
    return vectors


VECTORS = [
    pytest.param(vector, golden.FILES[name][2], id=vector["name"])
    for name in golden.FILES
    for vector in load(name)
]


@pytest.mark.parametrize(("vector", "samples"), VECTORS)
def test_both_ways_byte_for_byte(vector: dict[str, Any], samples: golden.Samples) -> None:
    data = bytes.fromhex(vector["hex"])
    value = samples[vector["name"]]
    assert golden.encode(value).hex() == vector["hex"]
    assert golden.decode(vector["type"], data) == value
    assert golden.encode(golden.decode(vector["type"], data)) == data


@pytest.mark.parametrize("name", golden.FILES)
def test_the_file_is_what_the_samples_give(name: str) -> None:
    text = (golden.VECTORS / name).read_text(encoding="utf-8")
    assert text == golden.document(*golden.FILES[name])


@pytest.mark.parametrize(
    ("union", "samples"),
    [
        (commands.Command, golden.COMMANDS),
        (commands.Result, golden.RESULTS),
        (events.Event, golden.EVENTS),
        (events.Gauge, golden.GAUGES),
    ],
)
def test_every_kind_has_a_vector(union: Any, samples: golden.Samples) -> None:
    never_sent = {events.SkippedEvent.__name__}
    assert {kind.__name__ for kind in get_args(union)} - never_sent == set(samples)


@pytest.mark.parametrize(
    ("module", "samples"),
    [(rows, golden.ROWS), (envelope, golden.FRAMES), (wire, golden.MESSAGES)],
)
def test_every_struct_of_a_module_has_a_vector(module: Any, samples: golden.Samples) -> None:
    structs = {
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__
        and hasattr(value, "__struct_fields__")
    }
    assert structs - {"Failure"} <= {type(value).__name__ for value in samples.values()}
