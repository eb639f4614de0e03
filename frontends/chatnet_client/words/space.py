"""How front ends say what receiving takes on the disk besides what was received. Pure."""

from chatnet_client.words import size_words
from chatnet_protocol.ipc.results import Space

NOTHING = "Nothing is left over."
NOTHING_TO_REMOVE = "There is nothing to remove."
"""Where there is something all the same."""


def space_line(space: Space) -> str:
    """`Unfinished files: 3, 1.2 GB (1 in use or recent); earlier folders: 2, 340 MB`; empty when
    there are none."""
    parts = []
    if count := space.left_over + space.under_way:
        size = size_words(space.left_over_bytes + space.under_way_bytes)
        kept = f" ({space.under_way:,} in use or recent)" if space.under_way else ""
        parts.append(f"unfinished files: {count:,}, {size}{kept}")
    if count := space.earlier + space.changed:
        size = size_words(space.earlier_bytes + space.changed_bytes)
        changed = f" ({space.changed:,} with changes, kept)" if space.changed else ""
        parts.append(f"earlier folders: {count:,}, {size}{changed}")
    line = "; ".join(parts)
    return line[:1].upper() + line[1:]


def removable_words(space: Space) -> str:
    """`3 unfinished files and 2 earlier folders, 1.5 GB`; empty when nothing can be removed."""
    parts = []
    if space.left_over:
        parts.append(_counted(space.left_over, "unfinished file"))
    if space.earlier:
        parts.append(_counted(space.earlier, "earlier folder"))
    if not parts:
        return ""
    return f"{' and '.join(parts)}, {size_words(space.left_over_bytes + space.earlier_bytes)}"


def removed_words(space: Space) -> str:
    """`5 files and folders, 1.5 GB`; empty when nothing was removed."""
    if not space.removed:
        return ""
    what = "file or folder" if space.removed == 1 else "files and folders"
    return f"{space.removed:,} {what}, {size_words(space.removed_bytes)}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("s" if count > 1 else "")
