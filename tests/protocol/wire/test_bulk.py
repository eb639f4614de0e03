"""Messages of bulk streams: their bytes, and what is refused."""

import json

import pytest

from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import BULK_PART_BYTES, MAX_BULK_WINDOW_BYTES
from chatnet_protocol.wire import bulk
from file_vectors import BULK, PATH

HANDLE = b"handle-8"


@pytest.mark.parametrize(
    "vector", json.loads(PATH.read_text())["bulk"], ids=lambda one: one["name"]
)
def test_vectors_both_ways(vector: dict[str, str]) -> None:
    data = bytes.fromhex(vector["hex"])
    assert bulk.decode_bulk(data) == BULK[vector["name"]]
    assert bulk.encode_bulk(BULK[vector["name"]]) == data


@pytest.mark.parametrize(
    "message",
    [
        bulk.BulkData(HANDLE, b"x" * BULK_PART_BYTES),
        bulk.BulkRoom(HANDLE, 1),
        bulk.BulkRoom(HANDLE, MAX_BULK_WINDOW_BYTES),
    ],
)
def test_limits_are_inclusive(message: bulk.BulkMessage) -> None:
    assert bulk.decode_bulk(bulk.encode_bulk(message)) == message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" + HANDLE,
        b"\0" + HANDLE + b"x" * (BULK_PART_BYTES + 1),
        b"\1" + HANDLE,
        b"\1" + HANDLE + b"\0\0\0\0",
        b"\1" + HANDLE + (MAX_BULK_WINDOW_BYTES + 1).to_bytes(4, "big"),
        b"\1" + HANDLE + b"\0\0\0\1\0",
        b"\2" + HANDLE + b"x",
        b"\3" + HANDLE,
        b"\2" + HANDLE[1:],
    ],
)
def test_malformed_messages_are_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        bulk.decode_bulk(body)
