"""Offers: every limit is taken and the next value refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import (
    LeftOut,
    ListedThing,
    Offer,
    OfferedFile,
    OfferedFolder,
    OfferedListing,
    OfferedThing,
    decode_offer,
    encode_offer,
)
from chatnet_protocol.limits import (
    MAX_FILE_BYTES,
    MAX_FILES_IN_OFFER,
    MAX_FOLDERS_IN_OFFER,
    MAX_INTEGER,
    MAX_LEFT_OUT_NAMED,
    MAX_LISTED_FILES,
    MAX_LISTED_FOLDERS,
    MAX_LISTING_BYTES,
    MAX_OFFER_BYTES,
    MAX_PATH_COMPONENTS,
    MAX_SHOWN_PATH_BYTES,
    MAX_THINGS_IN_OFFER,
)

FILE = OfferedFile(["a"], 1)
FILES = st.builds(
    OfferedFile,
    path=st.lists(st.text(max_size=12), min_size=1, max_size=MAX_PATH_COMPONENTS),
    size_bytes=st.integers(0, MAX_FILE_BYTES),
    modified_ms=st.integers(-MAX_INTEGER - 1, MAX_INTEGER),
)


@given(st.lists(FILES, min_size=1, max_size=5))
def test_offers_survive(files: list[OfferedFile]) -> None:
    offer = Offer(files)
    assert decode_offer(encode_offer(offer)) == offer
    assert offer.size_bytes == sum(file.size_bytes for file in files)


def test_an_offer_is_a_list_of_things() -> None:
    offer = Offer(
        [
            OfferedFile(["src", "a"], 1, root=0),
            OfferedFile(["single"], 1, root=1),
            OfferedFile(["src", "b"], 1, root=2),
            OfferedFile(["src", "c"], 1, root=0),
        ],
        [OfferedFolder(["src", "empty"], 0), OfferedFolder(["nothing"], 3)],
    )
    assert offer.things == [
        OfferedThing("nothing", True, [], [1]),
        OfferedThing("single", False, [1], []),
        OfferedThing("src", True, [2], []),
        OfferedThing("src", True, [0, 3], [0]),
    ]
    assert [thing.end for thing in offer.things] == [0, 2, 3, 4]
    assert offer.entries == 4 + 4, "src twice, src/empty and nothing"


@given(st.binary(max_size=100))
def test_garbage_raises_decode_error_only(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_offer(data)


@pytest.mark.parametrize(
    "offer",
    [
        Offer([OfferedFile(["a"], 1)] * MAX_FILES_IN_OFFER),
        Offer([OfferedFile(["a"] * MAX_PATH_COMPONENTS, 0)]),
        Offer([OfferedFile(["a"], MAX_FILE_BYTES)]),
        Offer([], [OfferedFolder(["a"])] * MAX_FOLDERS_IN_OFFER),
        Offer([], [OfferedFolder(["a"] * MAX_PATH_COMPONENTS, 7)]),
        Offer([FILE], [], 9, [LeftOut("x" * MAX_SHOWN_PATH_BYTES, "new")] * MAX_LEFT_OUT_NAMED),
    ],
)
def test_the_limits_themselves_are_taken(offer: Offer) -> None:
    assert decode_offer(encode_offer(offer)) == offer


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (Offer([]), "between 1 and 1,000 files"),
        (Offer([OfferedFile(["a"], 1)] * (MAX_FILES_IN_OFFER + 1)), "between 1 and 1,000 files"),
        (Offer([OfferedFile([], 1)]), "between 1 and 32 components"),
        (Offer([OfferedFile(["a"] * (MAX_PATH_COMPONENTS + 1), 1)]), "between 1 and 32"),
        (Offer([OfferedFile(["a"], -1)]), "size is out of range"),
        (Offer([OfferedFile(["a"], MAX_FILE_BYTES + 1)]), "size is out of range"),
        (Offer([OfferedFile(["a" * MAX_OFFER_BYTES], 1)]), "at most 61440"),
        (Offer([], [OfferedFolder(["a"])] * (MAX_FOLDERS_IN_OFFER + 1)), "1,000 empty folders"),
        (Offer([FILE], [OfferedFolder([])]), "between 1 and 32 components"),
        (Offer([FILE], [], 0, [LeftOut("x", "link")]), "more is named"),
        (Offer([FILE], [], 99, [LeftOut("x", "link")] * (MAX_LEFT_OUT_NAMED + 1)), "more is named"),
        (Offer([FILE], [], 1, [LeftOut("x" * (MAX_SHOWN_PATH_BYTES + 1), "link")]), "too long"),
    ],
)
def test_beyond_a_limit_is_refused(offer: Offer, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode_offer(encode_offer(offer))


def test_all_sizes_of_an_offer_together_are_an_integer_of_ours() -> None:
    assert MAX_FILES_IN_OFFER * MAX_FILE_BYTES <= MAX_INTEGER


def test_wrong_types_are_refused_and_later_elements_ignored() -> None:
    later = [[[["a"], 1, 2, True, 3, "new"]], [[["b"], 4, "new"]], 1, [["c", "link", "new"]]]
    later += [None, False, "new"]
    assert decode_offer(codec.pack_plain(later)) == Offer(
        [OfferedFile(["a"], 1, 2, True, 3)], [OfferedFolder(["b"], 4)], 1, [LeftOut("c", "link")]
    )
    earlier = Offer([OfferedFile(["a"], 1, 2)])
    assert decode_offer(codec.pack_plain([[[["a"], 1, 2]]])) == earlier
    wrongs: list[object] = [
        [[[[b"a"], 1]]], [[["a", 1]]], [[[["a"], "1"]]], {"files": []}, [],
    ]  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(DecodeError):
            decode_offer(codec.pack_plain(wrong))


def listed(*things: ListedThing, digest: bytes = bytes(32), size_bytes: int = 9) -> Offer:
    return Offer([], listing=OfferedListing(digest, size_bytes, list(things)))


def test_an_offer_with_a_listing_has_things_and_sums() -> None:
    offer = listed(ListedThing("a", 2, 30, 3), ListedThing("b", 1, 5), ListedThing("c", 0, 0, 1))
    assert decode_offer(encode_offer(offer)) == offer
    assert (offer.file_count, offer.size_bytes, offer.entries) == (3, 35, 7)
    assert [(thing.name, thing.is_folder, list(thing.files)) for thing in offer.things] == [
        ("c", True, []),
        ("a", True, [0, 1]),
        ("b", False, [2]),
    ]
    assert [thing.root for thing in offer.things] == [2, 0, 1]


ONE = ListedThing("a", 1, 1)


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (Offer([FILE], listing=OfferedListing(bytes(32), 9, [ONE])), "either files or a listing"),
        (listed(ONE, digest=bytes(31)), "32 bytes"),
        (listed(ONE, size_bytes=0), "size of a listing"),
        (listed(ONE, size_bytes=MAX_LISTING_BYTES + 1), "size of a listing"),
        (listed(), "between 1 and 1,000 things"),
        (listed(*[ONE] * (MAX_THINGS_IN_OFFER + 1)), "between 1 and 1,000 things"),
        (listed(ListedThing("a", 2, 1)), "one file, or a folder"),
        (listed(ListedThing("a", 0, 1)), "one file, or a folder"),
        (listed(ListedThing("a", -1, 1, 1)), "one file, or a folder"),
        (listed(ListedThing("a", 1, 1, -1)), "one file, or a folder"),
        (listed(ListedThing("a", 1, -1)), "size of a listed thing"),
        (listed(ListedThing("a", 1, MAX_FILE_BYTES + 1)), "size of a listed thing"),
        (listed(ListedThing("a", MAX_LISTED_FILES, 1, 1), ONE), "at most 2,000,000 files"),
        (listed(ListedThing("a", 1, 1, MAX_LISTED_FOLDERS + 1)), "at most 500,000 folders"),
    ],
)
def test_an_offer_with_an_impossible_listing_is_refused(offer: Offer, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode_offer(encode_offer(offer))


def test_all_sizes_of_a_listing_together_are_an_integer_of_ours() -> None:
    assert MAX_THINGS_IN_OFFER * MAX_FILE_BYTES <= MAX_INTEGER
