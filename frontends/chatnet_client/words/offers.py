"""What offered files and folders are called, and what of them does not arrive as it is."""

from collections.abc import Callable

from chatnet_protocol.ipc.offer import LeftOutKind, Offer
from chatnet_protocol.ipc.reasons import UpdateReason
from chatnet_protocol.ipc.rows import Differences, TransferKind, TransferRow, TransferState

Harmless = Callable[[str], str]
"""Makes what a peer wrote harmless where it is shown."""

NAMELESS = "files"
"""An offer that cannot be read."""
_KINDS: dict[str, str] = {
    LeftOutKind.LINK: "a link",
    LeftOutKind.SPECIAL: "a pipe, socket or device",
    LeftOutKind.UNREADABLE: "not readable",
    LeftOutKind.NAME: "its name is not valid UTF-8",
    LeftOutKind.DEEP: "nested too deep",
    LeftOutKind.LARGE: "too large",
}
_NOT_UPDATED_HERE: dict[str, str] = {
    UpdateReason.NOT_ALLOWED: "updates of this folder are not allowed here yet",
    UpdateReason.CHANGED: "something in the earlier folder was changed",
    UpdateReason.MOVED: "the earlier folder is not where it was",
    UpdateReason.NOT_KNOWN: "what came into the earlier folder was not recorded",
    UpdateReason.DISK: "this disk cannot exchange two folders",
}
_NOT_UPDATED_THERE: dict[str, str] = {
    UpdateReason.NOT_ALLOWED: "the other side has not allowed updates of this folder yet",
    UpdateReason.CHANGED: "something in the other side's copy was changed",
    UpdateReason.MOVED: "the other side's copy is not where it was",
    UpdateReason.NOT_KNOWN: "the other side has no record of what came into its copy",
    UpdateReason.DISK: "the other side's disk cannot exchange two folders",
}


def title_of_row(row: TransferRow, harmless: Harmless) -> str:
    """`photo.jpg`, or `photo.jpg and 3 more`."""
    return _title(harmless(row.name), row.things)


def title_of_offer(offer: Offer, harmless: Harmless) -> str:
    """The same, before there is a row."""
    things = offer.things
    return _title(harmless(things[0].name), len(things)) if things else NAMELESS


def row_words(row: TransferRow, harmless: Harmless) -> str:
    """`photo.jpg`, `project notes, folder, 41 files`, or `photo.jpg and 3 more, 44 files`."""
    is_folder = row.kind == TransferKind.FOLDER
    return _words(title_of_row(row, harmless), is_folder, row.things, row.files)


def offer_words(offer: Offer, harmless: Harmless) -> str:
    """The same, before there is a row."""
    things = offer.things
    if not things:
        return NAMELESS
    title = title_of_offer(offer, harmless)
    return _words(title, things[0].is_folder, len(things), offer.file_count)


def left_out_words(differences: Differences | None, harmless: Harmless) -> str:
    """`3 left out: proj/link (a link), … and 1 more`; empty when nothing is."""
    if differences is None or not differences.left_out:
        return ""
    named = [
        f"{harmless(one.path)} ({_KINDS.get(one.kind, 'cannot be sent')})"
        for one in differences.left_out_named
    ]
    return f"{differences.left_out:,} left out: {_list(named, differences.left_out)}"


def renamed_words(differences: Differences | None, harmless: Harmless) -> str:
    """`1 arrived under another name: proj/a:b (now a_b)`; empty when none did."""
    if differences is None or not differences.renamed:
        return ""
    named = [
        f"{harmless(one.path)} (now {harmless(one.name)})" for one in differences.renamed_named
    ]
    return (
        f"{differences.renamed:,} arrived under another name: {_list(named, differences.renamed)}"
    )


def not_updated_words(row: TransferRow) -> str:
    """Why an update arrived beside the earlier folder; empty when it did not."""
    problem = row.differences.not_updated if row.differences else ""
    if not problem:
        return ""
    words = (_NOT_UPDATED_THERE if row.mine else _NOT_UPDATED_HERE).get(problem, problem)
    return f"not updated: {words}"


def can_allow_updates(row: TransferRow) -> bool:
    """Whether a person here may let updates take the place of this folder."""
    is_folder = row.kind == TransferKind.FOLDER and row.things == 1
    refused = row.state in (TransferState.REJECTED, TransferState.CANCELLED, TransferState.FAILED)
    return is_folder and not row.mine and not refused


def _title(name: str, things: int) -> str:
    return name if things == 1 else f"{name} and {things - 1} more"


def _words(title: str, is_folder: bool, things: int, files: int) -> str:
    count = "1 file" if files == 1 else f"{files:,} files"
    if things > 1:
        return f"{title}, {count}"
    return f"{title}, folder, {count}" if is_folder else title


def _list(named: list[str], count: int) -> str:
    if not named:
        return "none of them named"
    more = f" and {count - len(named):,} more" if count > len(named) else ""
    return ", ".join(named) + more
