"""What arrives unasked is counted by key and day, and only if it is stored."""

from chatnet_engine.clock import Now
from chatnet_engine.files.quota import DAY_MS, Quota
from chatnet_engine.store_ops.commit import AutomaticUse
from chatnet_protocol.ipc.offer import Offer, OfferedFile, OfferedFolder
from chatnet_protocol.limits import MIB
from file_pair import ID, KEY

HALF = Offer([OfferedFile(["x"], 600 * MIB)])
OTHER = b"other".rjust(16)
TODAY = Now(0.0, 1)


def test_a_transfer_that_was_not_stored_leaves_its_room_to_the_next() -> None:
    quota = Quota([])
    assert quota.take(ID, KEY, HALF, TODAY, verified=False, allowed_bytes=0)
    assert not quota.take(OTHER, KEY, HALF, TODAY, verified=False, allowed_bytes=0)
    quota.forget(ID)
    quota.forget(ID)
    assert quota.take(OTHER, KEY, HALF, TODAY, verified=False, allowed_bytes=0)


def test_what_was_handed_to_the_store_counts_until_it_is_given_back() -> None:
    quota = Quota([])
    assert quota.take(ID, KEY, HALF, TODAY, verified=False, allowed_bytes=0)
    use = quota.pop_use(ID)
    assert use == AutomaticUse(KEY, 0, 600 * MIB, 1)
    assert quota.pop_use(ID) is None
    quota.forget(ID)
    assert not quota.take(OTHER, KEY, HALF, TODAY, verified=False, allowed_bytes=0)
    quota.give_back(use)
    assert quota.take(OTHER, KEY, HALF, TODAY, verified=False, allowed_bytes=0)


def test_what_is_given_back_of_another_day_changes_nothing() -> None:
    quota = Quota([AutomaticUse(KEY, 1, 600 * MIB, 1)])
    quota.give_back(AutomaticUse(KEY, 0, 600 * MIB, 1))
    assert not quota.take(ID, KEY, HALF, Now(0.0, DAY_MS), verified=False, allowed_bytes=0)


def test_who_allows_more_than_the_quota_of_a_day_means_it() -> None:
    quota = Quota([])
    large = Offer([OfferedFile(["x"], 2048 * MIB)])
    allowed_bytes = 4096 * MIB
    for transfer_id, taken in ((ID, True), (OTHER, True), (b"third".rjust(16), False)):
        assert taken == quota.take(
            transfer_id, KEY, large, TODAY, verified=False, allowed_bytes=allowed_bytes
        )


def test_folders_count_like_files() -> None:
    quota = Quota([])
    folders = Offer([], [OfferedFolder(["top", str(number)]) for number in range(600)])
    assert quota.take(ID, KEY, folders, TODAY, verified=False, allowed_bytes=0)
    assert quota.pop_use(ID) == AutomaticUse(KEY, 0, 0, 601)
    assert not quota.take(OTHER, KEY, folders, TODAY, verified=False, allowed_bytes=0)
    assert quota.take(OTHER, KEY, folders, TODAY, verified=True, allowed_bytes=0)


def test_it_is_said_why_an_offer_asks() -> None:
    quota = Quota([])
    small, many = Offer([OfferedFile(["x"], 1)]), Offer([OfferedFile(["x"], 0)] * 1000)

    def why(offer: Offer, allowed_bytes: int, transfer_id: bytes = ID) -> str:
        found = quota.why_ask(
            transfer_id, KEY, offer, TODAY, verified=False, allowed_bytes=allowed_bytes
        )
        return " ".join([found.code, *found.params]) if found else "taken"

    assert why(small, 0) == "asks-always"
    assert why(HALF, MIB) == f"asks-size {MIB}"
    assert why(many, MIB) == "taken"
    assert why(small, MIB, OTHER) == "asks-files-a-day 1000"
    quota.forget(ID)
    assert why(HALF, 700 * MIB) == "taken"
    assert why(HALF, 700 * MIB, OTHER) == f"asks-bytes-a-day {1024 * MIB}"
