"""Golden behaviour: what the vectors say of views and of attaching is what this code does."""

import json
from collections.abc import Callable
from typing import Any, get_args

import msgpack
import pytest

import golden_vectors as golden
from attach_dialogue import attach_document
from behaviour_vectors import view_document
from chatnet_protocol import codec
from chatnet_protocol.ipc import envelope, events
from chatnet_protocol.ipc.view import View
from stranger import Stranger

Step = dict[str, Any]


def load(name: str, key: str) -> list[Step]:
    content = json.loads((golden.VECTORS / name).read_text(encoding="utf-8"))
    steps: list[Step] = content[key]
    return steps


CASES = [pytest.param(case, id=case["name"]) for case in load("view.json", "vectors")]


@pytest.mark.parametrize("case", CASES)
def test_an_event_does_to_a_view_what_its_vector_says(case: Step) -> None:
    view = codec.unpack(bytes.fromhex(case["view"]), View, 1 << 20)
    packed = bytes.fromhex(case["event"])
    one = envelope.join_publication(golden.BOOT, 1, [packed])
    view.apply(envelope.decode_publication(one).events[0])
    assert codec.pack(view).hex() == case["after"]


@pytest.mark.parametrize("case", CASES)
def test_a_reader_of_the_specification_comes_to_the_same_view(case: Step) -> None:
    stranger = Stranger(bytes.fromhex(case["view"]))
    stranger.apply(msgpack.unpackb(bytes.fromhex(case["event"])))
    assert msgpack.packb(stranger.view).hex() == case["after"]


def test_every_event_has_a_case_that_changes_the_view() -> None:
    cases = load("view.json", "vectors")
    changing = {case["type"] for case in cases if _changes(case)}
    published = {kind.__name__ for kind in get_args(events.Event)}
    assert published - {"SkippedEvent", "Notice"} <= changing


def _changes(case: Any) -> bool:
    return bool(case["view"] != case["after"])


@pytest.mark.parametrize(
    ("name", "made"), [("view.json", view_document), ("attach.json", attach_document)]
)
def test_the_file_is_what_engine_and_client_write_today(name: str, made: Callable[[], str]) -> None:
    assert (golden.VECTORS / name).read_text(encoding="utf-8") == made()


def test_a_client_with_this_dialogue_alone_is_in_the_present() -> None:
    """The steps in order, without the product: numbers decide what is asked."""
    steps = load("attach.json", "steps")
    last, view, seen = 0, None, []
    parts: dict[int, bytes] = {}
    wanted: dict[int, Step] = {}
    for step in steps:
        data = bytes.fromhex(step["hex"])
        if "then" in step:
            assert view is not None
            assert step["then"] == f"the view after event {last}"
            assert msgpack.packb(view.view) == data
            continue
        frame = msgpack.unpackb(data)
        if step["from"] == "client":
            wanted[frame[0]] = frame[1]
            seen.append(frame[1]["type"])
        elif step["on"] == "commands":
            result = frame[2] or {"type": "Failure", "code": frame[1][0]}
            seen.append(result["type"])
            if result["type"] == "Attached":
                parts, last = dict.fromkeys(range(result["parts"]), b""), result["seq"]
            elif result["type"] == "SnapshotPart":
                parts[wanted[frame[0]]["part"]] = result["data"]
                view = Stranger(b"".join(parts.values())) if all(parts.values()) else None
            elif result["type"] == "EventsPage":
                last = follow(view, last, msgpack.unpackb(result["data"]))
        elif step["topic"] == "E" and not step.get("lost") and frame[1] == last + 1:
            last = follow(view, last, frame)
    attaching = ["Attach", "Attached"]
    assert [kind for kind in seen if kind not in ("FetchSnapshot", "SnapshotPart")] == [
        *attaching,
        *["FetchEvents", "EventsPage"] * 2,
        *["FetchEvents", "Failure"],
        *attaching,
    ]


def follow(view: Stranger | None, last: int, publication: list[Any]) -> int:
    assert view is not None
    assert publication[1] <= last + 1
    for event in publication[2][last + 1 - publication[1] :]:
        view.apply(event)
    first, events_of_it = publication[1:]
    return max(last, int(first) + len(events_of_it) - 1)
