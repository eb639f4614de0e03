"""What the row of a transfer says about its offer."""

from collections.abc import Callable
from typing import TypedDict

import msgspec

from chatnet_engine.files.names import shown
from chatnet_protocol.ipc.offer import Offer
from chatnet_protocol.ipc.rows import Differences, Renamed, TransferKind
from chatnet_protocol.limits import MAX_LEFT_OUT_NAMED
from chatnet_protocol.wire.control import MAX_RENAMED_BYTES, Done


class Facts(TypedDict):
    """Fields of a TransferRow."""

    name: str
    kind: str
    things: int
    files: int
    size_bytes: int
    differences: Differences | None
    update: bool


def facts_of(offer: Offer, make_safe: Callable[[str], str]) -> Facts:
    """`make_safe`: for the name of the first thing."""
    things = offer.things
    differences = None
    if offer.left_out:
        named = [msgspec.structs.replace(one, path=shown(one.path)) for one in offer.left_out_named]
        differences = Differences(offer.left_out, named)
    return Facts(
        name=make_safe(things[0].name),
        kind=(TransferKind.FOLDER if things[0].is_folder else TransferKind.FILE).value,
        things=len(things),
        files=offer.file_count,
        size_bytes=offer.size_bytes,
        differences=differences,
        update=offer.update,
    )


def with_renamed(known: Differences | None, count: int, named: list[Renamed]) -> Differences | None:
    """`known`, and that so many more have other names."""
    if not count:
        return known
    known = known or Differences(0)
    return msgspec.structs.replace(
        known,
        renamed=known.renamed + count,
        renamed_named=[*known.renamed_named, *named][:MAX_LEFT_OUT_NAMED],
    )


def with_problem(known: Differences | None, problem: str) -> Differences | None:
    """`known`, and why an update left the earlier folder as it is; empty: it did not."""
    if not problem:
        return known
    return msgspec.structs.replace(known or Differences(0), not_updated=problem)


def without_renamed(known: Differences | None) -> Differences | None:
    """`known` before anything has arrived."""
    return Differences(known.left_out, known.left_out_named) if known and known.left_out else None


def done_for_peer(transfer_id: bytes, known: Differences | None) -> Done:
    """What the sender learns in the end: as many of the new names as one control message holds."""
    if known is None:
        return Done(transfer_id)
    named: list[tuple[str, str]] = []
    left = MAX_RENAMED_BYTES
    for one in known.renamed_named:
        left -= len(one.path.encode()) + len(one.name.encode()) + 8
        if left < 0:
            break
        named.append((one.path, one.name))
    return Done(transfer_id, known.renamed, named, known.not_updated)
