"""Events and gauges: unknown fields ignored, wrong types and unknown kinds refused."""

from typing import Any

import msgspec
import pytest

import golden_vectors as golden
from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.envelope import GaugeFrame, Publication
from chatnet_protocol.ipc.events import LinkGauge

LIMIT = 1 << 20
SAMPLES = {**golden.EVENTS, **golden.GAUGES}
WRONG: list[object] = [True, 7, 7.5, "text", b"bytes", [7], {"a": 7}, None]


def plain(value: msgspec.Struct) -> dict[str, Any]:
    content: dict[str, Any] = codec.unpack_plain(codec.pack(value), LIMIT)
    return content


FIELDS = [
    pytest.param(sample, field, id=f"{name}.{field}")
    for name, sample in SAMPLES.items()
    for field in sample.__struct_fields__
]


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_the_type_is_the_class_name_and_all_fields_are_written(sample: msgspec.Struct) -> None:
    assert list(plain(sample)) == ["type", *sample.__struct_fields__]
    assert plain(sample)["type"] == type(sample).__name__


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_unknown_fields_are_ignored(sample: msgspec.Struct) -> None:
    later = plain(sample) | {"from_a_later_version": [1, {"a": b"b"}]}
    assert codec.convert(later, type(sample)) == sample


@pytest.mark.parametrize(("sample", "field"), FIELDS)
def test_wrong_types_and_missing_fields_are_refused(sample: msgspec.Struct, field: str) -> None:
    content = plain(sample)
    right = type(content[field])
    compatible = (int, float) if right is float else (right,)
    info = next(f for f in msgspec.structs.fields(type(sample)) if f.name == field)
    if info.default is None:
        compatible = (*compatible, type(None))
    for wrong in WRONG:
        if type(wrong) not in compatible:
            with pytest.raises(DecodeError):
                codec.convert(content | {field: wrong}, type(sample))
    if info.required:
        with pytest.raises(DecodeError, match=field):
            codec.convert({k: v for k, v in content.items() if k != field}, type(sample))


@pytest.mark.parametrize("kind", ["Unknown", "LinkGauge", "SendMessage", "", 7, None])
def test_unknown_events_are_refused(kind: object) -> None:
    with pytest.raises(DecodeError):
        codec.convert([b"boot", 1, [{"type": kind}]], Publication)


def test_a_gauge_is_no_event_and_an_event_no_gauge() -> None:
    gauge = codec.pack([golden.BOOT, 1, [golden.GAUGES["LinkGauge"]]])
    event = codec.pack([golden.BOOT, [golden.EVENTS["Notice"]]])
    with pytest.raises(DecodeError, match="LinkGauge"):
        codec.unpack(gauge, Publication, LIMIT)
    with pytest.raises(DecodeError, match="Notice"):
        codec.unpack(event, GaugeFrame, LIMIT)


def test_a_whole_number_passes_for_a_fraction() -> None:
    content = plain(golden.GAUGES["LinkGauge"]) | {"rtt_ms": 3, "loss": 0}
    gauge = codec.convert([golden.BOOT, [content]], GaugeFrame).gauges[0]
    assert isinstance(gauge, LinkGauge)
    assert (gauge.rtt_ms, type(gauge.rtt_ms)) == (3.0, float)
