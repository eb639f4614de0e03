"""Where a session lives, and the connection file by which front ends find its engine."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.ipc.session_files import (
    MAX_CONNECTION_FILE_BYTES,
    ConnectionFile,
    decode_connection_file,
    encode_connection_file,
    home_dir,
    session_dir,
)

CONNECTION = ConnectionFile(
    session="12345",
    boot="0011223344556677",
    pid=4242,
    ipc_version=1,
    product_version="0.1.0",
    events="ipc:///run/user/1000/chatnet/3f2a.ev",
    commands="ipc:///run/user/1000/chatnet/3f2a.cmd",
    port=12345,
)


def test_the_home_is_relocated_by_the_environment() -> None:
    assert home_dir({}, "/data/chatnet") == "/data/chatnet"
    assert home_dir({"CHATNET_HOME": ""}, "/data/chatnet") == "/data/chatnet"
    assert home_dir({"CHATNET_HOME": "/tmp/x"}, "/data/chatnet") == "/tmp/x"
    with pytest.raises(CommandError, match="CHATNET_HOME is not"):
        home_dir({"CHATNET_HOME": "/tmp/\udcff"}, "")


@pytest.mark.parametrize("name", ["a", "12345", "a-b-9", "z" * 32])
def test_session_names(name: str) -> None:
    assert session_dir("/home", name) == f"/home/sessions/{name}"


@pytest.mark.parametrize(
    "name", ["", "A", "a b", "..", "a/b", "é", "a\n", "z" * 33, "a.b", "\0", "１２"]
)
def test_impossible_session_names(name: str) -> None:
    with pytest.raises(CommandError, match="no session name") as caught:
        session_dir("/home", name)
    assert caught.value.code is ErrorCode.INVALID


def test_a_connection_file_survives_as_one_line_of_json() -> None:
    data = encode_connection_file(CONNECTION)
    assert data.endswith(b"}\n")
    assert data.count(b"\n") == 1
    assert json.loads(data)["commands"] == CONNECTION.commands
    assert decode_connection_file(data) == CONNECTION


def test_unknown_keys_are_ignored() -> None:
    later = json.loads(encode_connection_file(CONNECTION)) | {"colour": [1, 2]}
    assert decode_connection_file(json.dumps(later).encode()) == CONNECTION


@pytest.mark.parametrize("field", ConnectionFile.__struct_fields__)
def test_missing_and_wrong_fields_are_refused(field: str) -> None:
    plain = json.loads(encode_connection_file(CONNECTION))
    for value in (plain | {field: None}, {k: v for k, v in plain.items() if k != field}):
        with pytest.raises(DecodeError, match="damaged"):
            decode_connection_file(json.dumps(value).encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    damaged = encode_connection_file(CONNECTION).replace(b"commands", b"comm\x87nds")
    for data in (damaged, damaged.replace(b'"endpoint', b'"\xff')):
        with pytest.raises(DecodeError, match="damaged"):
            decode_connection_file(data)


def test_the_size_limit_is_reached() -> None:
    data = encode_connection_file(CONNECTION)
    padded = data.ljust(MAX_CONNECTION_FILE_BYTES)
    assert decode_connection_file(padded) == CONNECTION
    with pytest.raises(DecodeError, match="too long"):
        decode_connection_file(padded + b" ")


@given(st.binary(max_size=200))
def test_garbage_raises_decode_error_only(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_connection_file(data)
