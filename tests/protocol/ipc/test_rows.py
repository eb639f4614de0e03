"""Rows: arrays that may grow at their end, and the little they know by themselves."""

import enum
from types import NoneType
from typing import get_args

import msgspec
import pytest

import golden_vectors as golden
from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc import reasons, rows
from chatnet_protocol.ipc.offer import LeftOutKind

LIMIT = 1 << 20
SAMPLES = {name: row for name, row in golden.ROWS.items() if name not in ("PeerView", "View")}


@pytest.mark.parametrize("row", SAMPLES.values(), ids=SAMPLES)
def test_rows_are_arrays_in_the_order_of_their_fields(row: msgspec.Struct) -> None:
    values = codec.unpack_plain(codec.pack(row), LIMIT)
    plain = (getattr(row, name) for name in row.__struct_fields__)
    assert values == [msgspec.to_builtins(value, builtin_types=(bytes,)) for value in plain]


@pytest.mark.parametrize("row", SAMPLES.values(), ids=SAMPLES)
def test_elements_at_the_end_are_ignored_when_unknown(row: msgspec.Struct) -> None:
    values = codec.unpack_plain(codec.pack(row), LIMIT)
    assert codec.convert([*values, "new", [1]], type(row)) == row


@pytest.mark.parametrize("row", SAMPLES.values(), ids=SAMPLES)
def test_elements_with_a_default_may_be_left_out_the_others_not(row: msgspec.Struct) -> None:
    values = codec.unpack_plain(codec.pack(row), LIMIT)
    required = sum(field.required for field in msgspec.structs.fields(type(row)))
    assert codec.convert(values[:required], type(row))
    with pytest.raises(DecodeError, match="at least length"):
        codec.convert(values[: required - 1], type(row))


@pytest.mark.parametrize("row", SAMPLES.values(), ids=SAMPLES)
def test_wrong_types_are_refused(row: msgspec.Struct) -> None:
    values = codec.unpack_plain(codec.pack(row), LIMIT)
    optional = [NoneType in get_args(field.type) for field in msgspec.structs.fields(type(row))]
    wrongs: list[object] = [True, 7, 7.5, "text", b"bytes", [], {}, None]
    for index, value in enumerate(values):
        for wrong in wrongs:
            if type(wrong) is not type(value) and not (wrong is None and optional[index]):
                with pytest.raises(DecodeError):
                    codec.convert([*values[:index], wrong, *values[index + 1 :]], type(row))


def test_the_text_of_a_message_is_always_text() -> None:
    assert golden.OWN_ROW.text == "Grüße"
    assert msgspec.structs.replace(golden.OWN_ROW, body=b"a\xffb").text == "a\ufffdb"


def test_ended_transfers_are_those_that_nothing_follows() -> None:
    assert {str(state) for state in rows.ENDED_TRANSFER_STATES} == {
        "done",
        "rejected",
        "cancelled",
        "failed",
    }


CODES: dict[str, type[enum.StrEnum] | set[str]] = {
    "MessageRow.failed": reasons.MessageFailure,
    "PeerRow.trust": rows.Trust,
    "LinkRow.state": rows.LinkState,
    "TransferRow.state": rows.TransferState,
    "TransferRow.by": {"me", "peer", rows.BY_RESTORED},
    "TransferRow.kind": rows.TransferKind,
    "Differences.not_updated": reasons.UpdateReason,
    "LeftOut.kind": LeftOutKind,
    "RestoreRow.mine": rows.RestoreMine,
    "RestoreRow.theirs": rows.RestoreTheirs,
    "ClientRow.role": rows.ClientRole,
    "SessionRow.died_of": {"internal-error", "SIGKILL"},
    "Reason.code": reasons.LinkReason,
}
"""Texts of rows that are codes, with what they may be."""
GIVEN = {
    "MessageRow.source", "LinkRow.address", "LinkRow.incarnation",
    "PeerRow.name", "PeerRow.host", "PeerRow.display_name", "PeerRow.address",
    "PeerRow.safety_number", "TransferRow.name", "TransferRow.path", "LeftOut.path",
    "Renamed.path", "Renamed.name", "ClientRow.name", "SessionRow.name",
    "SessionRow.display_name", "SessionRow.host", "SessionRow.fingerprint", "SessionRow.inbox",
    "SessionRow.impair", "SessionRow.log", "SessionRow.version", "Reason.params",
}  # fmt: skip
"""Names, addresses, paths and numbers: written by people, peers and systems, or derived."""


def texts_of(kind: type[msgspec.Struct]) -> set[str]:
    """The fields that are text or lists of text, those of structs inside included."""
    found: set[str] = set()
    for field in msgspec.structs.fields(kind):
        inside = {field.type, *get_args(field.type)}
        if str in inside:
            found.add(f"{kind.__name__}.{field.name}")
        for one in inside:
            if isinstance(one, type) and issubclass(one, msgspec.Struct):
                found |= texts_of(one)
    return found


def test_no_row_has_a_field_for_a_sentence() -> None:
    kinds = {type(row) for row in SAMPLES.values()}
    assert {text for kind in kinds for text in texts_of(kind)} == set(CODES) | GIVEN


def test_codes_are_no_sentences() -> None:
    for known in (*CODES.values(), *reasons.KINDS):
        assert all(" " not in code and not code.endswith(".") for code in known)
