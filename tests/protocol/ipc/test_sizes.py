"""Sizes and rates as people type them."""

import pytest

from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.sizes import MAX_SIZE_BYTES, parse_limit, parse_size


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("0", 0), ("812", 812), ("1.5k", 1500), ("500MB", 500_000_000), (" 1 GiB ", 1 << 30)],
)
def test_a_size_has_decimal_and_binary_units(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "-1", "5ib", "many", "9e9", "1.2.3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="is not a size"):
        parse_size(text)


def test_more_than_can_be_counted_is_refused() -> None:
    assert parse_size(str(2**62)) == 2**62
    with pytest.raises(CommandError, match="more than any disk holds"):
        parse_size(f"{MAX_SIZE_BYTES}0")


@pytest.mark.parametrize("text", ["5MB", "5MB/s", "5 mb/s "])
def test_a_limit_is_a_size_a_second(text: str) -> None:
    assert parse_limit(text) == 5_000_000


@pytest.mark.parametrize("text", ["none", "0", " none "])
def test_there_need_not_be_a_limit(text: str) -> None:
    assert parse_limit(text) == 0


def test_a_limit_that_nothing_could_live_with_is_refused() -> None:
    with pytest.raises(CommandError, match="least limit is 20,000"):
        parse_limit("5kB/s")
