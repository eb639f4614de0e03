"""What a person may write into the row of a peer, besides its address."""

import msgspec

from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.rows import PeerRow
from chatnet_protocol.limits import MAX_DISPLAY_NAME_BYTES


def with_block(row: PeerRow, blocked: bool | None) -> PeerRow:
    """The row, blocked or not; None: as it is. Raises CommandError for a peer without a key."""
    if blocked and not row.key:
        raise CommandError(
            ErrorCode.NOT_ALLOWED, f"{row.name} has no key to block; remove it instead."
        )
    return row if blocked is None else msgspec.structs.replace(row, blocked=blocked)


def checked_name(name: str) -> str:
    """What a person calls a peer. Raises CommandError."""
    name = name.strip()
    if not name.isprintable() or not 1 <= len(name.encode()) <= MAX_DISPLAY_NAME_BYTES:
        raise CommandError(ErrorCode.INVALID, "A name has 1 to 64 printable bytes.")
    return name
