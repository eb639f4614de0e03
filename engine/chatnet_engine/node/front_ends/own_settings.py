"""Owns the row of the session: the own display name, the inbox and the rate limit of files, as they
were last committed."""

import msgspec

from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.messaging.messaging import Messaging
from chatnet_engine.node.turn import Turn
from chatnet_engine.store_ops.settings import StoreSettings
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import SetSession
from chatnet_protocol.ipc.events import SessionChanged
from chatnet_protocol.ipc.rows import SessionRow
from chatnet_protocol.ipc.sizes import check_limit
from chatnet_protocol.limits import MAX_DISPLAY_NAME_BYTES

MAX_PATH_BYTES = 4096
"""Linux opens no longer path."""


class OwnSettings:
    """`started`: the session as the engine was started, without what was chosen since."""

    def __init__(
        self, started: SessionRow, messaging: Messaging, transfers: Transfers, turn: Turn
    ) -> None:
        self._started = started
        self._row = turn.publisher.view.session
        self._messaging = messaging
        self._transfers = transfers
        self._publisher = turn.publisher
        transfers.set_limit(self._row.limit_bytes_s)

    def ask(self, command: SetSession) -> StoreSettings:
        """What is to be stored. Raises CommandError."""
        return checked(command, self._started)

    def handle_stored(self, op: StoreSettings) -> None:
        """It is committed: peers see the name, what is accepted from now on lands in the inbox, the
        limit holds for all that moves."""
        row = chosen(self._row, op, self._started.inbox)
        if row == self._row:
            return
        self._row = row
        self._publisher.publish(SessionChanged(row))
        self._messaging.rename(row.display_name)
        self._transfers.inbox = row.inbox
        self._transfers.set_limit(row.limit_bytes_s)


def checked(command: SetSession, given: SessionRow) -> StoreSettings:
    """The operation for a command. `given`: as the engine was started. Raises CommandError."""
    name, inbox = command.display_name, command.inbox
    if name is not None:
        name = name.strip()
        if not name.isprintable() or len(name.encode()) > MAX_DISPLAY_NAME_BYTES:
            raise CommandError(
                ErrorCode.INVALID,
                f"A display name has at most {MAX_DISPLAY_NAME_BYTES} printable bytes.",
            )
    if inbox and (not inbox.startswith("/") or "\0" in inbox):
        raise CommandError(ErrorCode.INVALID, "A folder is named by absolute path.")
    if inbox and len(inbox.encode()) > MAX_PATH_BYTES:
        raise CommandError(ErrorCode.TOO_LARGE, "The path of that folder is too long.")
    if (limit := command.limit_bytes_s) is not None:
        check_limit(limit)
    return StoreSettings(name, given.display_name, inbox, limit, given.limit_bytes_s)


def chosen(row: SessionRow, op: StoreSettings, default_inbox: str) -> SessionRow:
    """`row` with what was chosen."""
    if op.name is not None:
        row = msgspec.structs.replace(row, display_name=op.name)
    if op.inbox is not None:
        row = msgspec.structs.replace(row, inbox=op.inbox or default_inbox)
    if op.limit_bytes_s is not None:
        row = msgspec.structs.replace(row, limit_bytes_s=op.limit_bytes_s)
    return row
