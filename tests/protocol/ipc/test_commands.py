"""Commands and results: unknown fields ignored, wrong types and unknown kinds refused."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden_vectors as golden
from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.envelope import Reply, Request

LIMIT = 1 << 20
SAMPLES = {**golden.COMMANDS, **golden.RESULTS}


def plain(value: msgspec.Struct) -> dict[str, Any]:
    content: dict[str, Any] = codec.unpack_plain(codec.pack(value), LIMIT)
    return content


def wrong_for(value: object) -> list[object]:
    """Values of every other type. A float may be given as an integer."""
    kinds: list[object] = [True, 7, 7.5, "text", b"bytes", [7], {"a": 7}]
    kind = type(value)
    compatible = {float: (float, int), type(None): (int, list)}.get(kind, (kind,))
    return [other for other in kinds if type(other) not in compatible]


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
def test_wrong_types_are_refused(sample: msgspec.Struct, field: str) -> None:
    for wrong in wrong_for(getattr(sample, field)):
        with pytest.raises(DecodeError):
            codec.convert(plain(sample) | {field: wrong}, type(sample))


@pytest.mark.parametrize(("sample", "field"), FIELDS)
def test_a_field_may_be_missing_only_if_it_has_a_default(
    sample: msgspec.Struct, field: str
) -> None:
    content = {key: value for key, value in plain(sample).items() if key != field}
    info = next(f for f in msgspec.structs.fields(type(sample)) if f.name == field)
    if info.required:
        with pytest.raises(DecodeError, match=field):
            codec.convert(content, type(sample))
    else:
        assert getattr(codec.convert(content, type(sample)), field) == info_default(info)


def info_default(info: msgspec.structs.FieldInfo) -> object:
    if info.default_factory is not msgspec.NODEFAULT:
        return info.default_factory()
    return info.default


@pytest.mark.parametrize("kind", ["Unknown", "sendmessage", "", "Done", 7, None, ["Detach"]])
def test_unknown_commands_are_refused(kind: object) -> None:
    with pytest.raises(DecodeError):
        codec.convert([1, {"type": kind}], Request)


def test_a_command_needs_a_type_and_is_a_map() -> None:
    contents: list[object] = [{"peer": 1}, [], "Detach", None, 7]
    for content in contents:
        with pytest.raises(DecodeError):
            codec.convert([1, content], Request)


def test_a_command_is_no_result() -> None:
    with pytest.raises(DecodeError, match="Detach"):
        codec.convert([1, None, {"type": "Detach"}], Reply)


@given(st.sampled_from(get_args(cmd.Command)), st.data())
def test_any_command_survives(kind: type[cmd.Command], data: st.DataObject) -> None:
    sample = golden.COMMANDS[kind.__name__]
    values = {
        name: data.draw(like(getattr(sample, name)), label=name)
        for name in sample.__struct_fields__
    }
    command = kind(**values)
    request = codec.unpack(codec.pack(Request(5, command)), Request, LIMIT)
    assert request == Request(5, command)


def like(value: object) -> st.SearchStrategy[Any]:
    """Any value of the type of `value`; structs stay what they are."""
    match value:
        case bool():
            return st.booleans()
        case int():
            return st.integers(-(2**63), 2**63 - 1)
        case str():
            return st.text()
        case bytes():
            return st.binary()
        case list():
            return st.lists(like(value[0]) if value else st.text(), max_size=3)
        case _:
            return st.just(value)


def test_read_only_clients_change_nothing() -> None:
    names = {command.__name__ for command in cmd.READ_ONLY_COMMANDS}
    assert names == {
        "Attach",
        "Detach",
        "KeepAlive",
        "FetchSnapshot",
        "FetchEvents",
        "FetchHistory",
        "FetchStatus",
        "FetchDelivery",
        "FetchSpace",
    }
