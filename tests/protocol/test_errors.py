"""The exception tree: what each carries, and that the numbers on the wire stay what they are."""

import pytest

from chatnet_protocol.errors import (
    ChatNetError,
    CloseCode,
    CommandError,
    DecodeError,
    ErrorCode,
    LocalProtocolError,
    RemoteProtocolError,
    VersionMismatch,
)


def test_close_codes_keep_their_numbers() -> None:
    assert {code.name: code.value for code in CloseCode} == {
        "NONE": 0,
        "SHUTDOWN": 1,
        "PENDING": 2,
        "REFUSED": 3,
        "PROTOCOL_VIOLATION": 4,
    }


def test_error_codes_are_their_names_in_lower_case() -> None:
    for code in ErrorCode:
        assert code.value == code.name.lower().replace("_", "-")


def test_all_errors_have_one_root_and_carry_their_facts() -> None:
    decode = DecodeError("too short")
    remote = RemoteProtocolError("a gap")
    other = RemoteProtocolError("old", CloseCode.REFUSED)
    command = CommandError(ErrorCode.GONE, "That is gone.")
    assert (decode.reason, str(decode)) == ("too short", "too short")
    assert (remote.reason, remote.code) == ("a gap", CloseCode.PROTOCOL_VIOLATION)
    assert other.code is CloseCode.REFUSED
    assert (command.code, command.detail, str(command)) == (
        ErrorCode.GONE,
        "That is gone.",
        "That is gone.",
    )
    for error in (decode, remote, command, LocalProtocolError(), VersionMismatch(1, 2, "x")):
        assert isinstance(error, ChatNetError)


@pytest.mark.parametrize(
    ("ours", "theirs", "side"), [(1, 2, "this side"), (2, 1, "the other side")]
)
def test_a_version_mismatch_says_which_side_to_upgrade(ours: int, theirs: int, side: str) -> None:
    error = VersionMismatch(ours, theirs, "Wire")
    assert str(error) == (
        f"Wire version {theirs} meets version {ours} here: upgrade ChatNet on {side}."
    )
    assert (error.ours, error.theirs) == (ours, theirs)
