"""Pages of a listing: what is written is read, and nothing else is taken."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import LISTING_PAGE_BYTES, MAX_FILE_BYTES, MAX_PATH_COMPONENTS
from chatnet_protocol.wire.listing import (
    LENGTH,
    ListedFile,
    ListedFolder,
    decode_checked_page,
    decode_page,
    encode_page,
)

NAMES = st.text(max_size=12).filter(lambda name: name.isprintable())
FILES = st.builds(
    ListedFile, NAMES, st.integers(0, MAX_FILE_BYTES), st.integers(0, 2**50), st.booleans()
)
FOLDERS = st.builds(
    ListedFolder,
    st.lists(NAMES, min_size=1, max_size=3),
    st.lists(FILES, max_size=4),
    st.integers(0, 9),
)


@given(st.lists(FOLDERS, min_size=1, max_size=4))
def test_pages_come_back(folders: list[ListedFolder]) -> None:
    page = encode_page(folders)
    assert LENGTH.unpack_from(page)[0] == len(page) - LENGTH.size
    assert decode_page(page[LENGTH.size :]) == folders
    assert decode_checked_page(page[LENGTH.size :]) == folders


@given(st.binary(max_size=60))
def test_garbage_raises_decode_error_only(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_page(data)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ([], "empty page"),
        ([[[], []]], "between 1 and 32"),
        ([[["a"] * MAX_PATH_COMPONENTS, [["b", 1]]]], "between 1 and 32"),
        ([[["a"], [["b", -1]]]], "size is out of range"),
        ([[["a"], [["b", MAX_FILE_BYTES + 1]]]], "size is out of range"),
        ([[["a" * LISTING_PAGE_BYTES], []]], "at most 65536"),
        ([[["a"], [["b"]]]], "length"),
        ([[["a"], [[b"b", 1]]]], "str"),
    ],
)
def test_what_is_no_page_is_refused(page: object, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode_page(codec.pack_plain(page))


def test_the_deepest_path_is_taken() -> None:
    deep = [ListedFolder(["a"] * (MAX_PATH_COMPONENTS - 1), [ListedFile("b", 1)])]
    assert decode_page(codec.pack(deep)) == deep
