"""Ids: the shape of a UUIDv7, and what passes for an id."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol.ids import ID_BYTES, fingerprint, is_id, uuid7

TIMES_MS = st.integers(0, 2**48 - 1)
ENTROPY = st.binary(min_size=10, max_size=16)


@given(TIMES_MS, ENTROPY)
def test_an_id_is_a_uuid_of_version_7(wall_ms: int, entropy: bytes) -> None:
    made = uuid.UUID(bytes=uuid7(wall_ms, entropy))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == wall_ms
    assert is_id(made.bytes)


@given(TIMES_MS, ENTROPY, ENTROPY)
def test_ids_sort_by_time(wall_ms: int, one: bytes, other: bytes) -> None:
    if wall_ms < 2**48 - 1:
        assert uuid7(wall_ms, one) < uuid7(wall_ms + 1, other)


def test_every_random_bit_that_a_uuid_leaves_free_is_used() -> None:
    zeros, ones = uuid7(0, bytes(10)), uuid7(0, b"\xff" * 10)
    differing = int.from_bytes(zeros, "big") ^ int.from_bytes(ones, "big")
    assert differing.bit_count() == 74


def test_a_clock_beyond_48_bits_wraps_instead_of_failing() -> None:
    assert uuid7(2**48 + 5, bytes(10)) == uuid7(5, bytes(10))


def test_only_sixteen_bytes_are_an_id() -> None:
    assert [size for size in range(40) if is_id(bytes(size))] == [ID_BYTES]


def test_fingerprint_is_six_groups_that_change_with_the_key() -> None:
    text = fingerprint(bytes(32))
    assert [len(group) for group in text.split("-")] == [4] * 6
    assert text != fingerprint(bytes(31) + b"\1")
    assert text == "zc3n-3jyx-ucdc-vhfe-hy4i-ootb"
