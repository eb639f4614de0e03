"""How a complete folder takes the place of an earlier one, which is never lost.

Three renames, each recognised after a crash by the inodes, which the history has before:

1. the new folder gets another name in the folder of the partial ones, which nothing removes;
2. the two change places, in one step for everybody who looks;
3. the earlier one leaves the folder of the partial ones under its new name.
"""

import contextlib
import shutil
import stat
from typing import NoReturn

from chatnet_engine.files.names import numbered_folder
from chatnet_engine.files.update_wire import Exchange, KeptFolder
from chatnet_engine.io.file_folder import Folder, PartialGone, gone_name, partial_name, status_of
from chatnet_engine.io.file_state import fingerprint
from chatnet_engine.io.private_dir import sync_dir_fd
from chatnet_engine.io.renaming import exchange_folders, rename_folder
from chatnet_protocol.ipc.reasons import UpdateReason


class ExchangeRefused(Exception):
    """The earlier folder stays where it is: an UpdateReason value."""

    def __init__(self, problem: UpdateReason) -> None:
        super().__init__(problem.value)
        self.problem = problem.value


class Exchanging:
    """One folder that is to take an earlier one's place. `inode`: of the new one."""

    def __init__(self, folder: Folder, transfer_id: bytes, inode: int, exchange: Exchange) -> None:
        self._folder = folder
        self._id = transfer_id
        self._fd = folder.fd
        self._partial_fd = folder.partial_fd
        self._partial = partial_name(transfer_id, 0)
        self._aside = folder.aside_name(transfer_id)
        self._inode = inode
        self._exchange = exchange

    def run(self) -> str:
        """Exchange them, or go on with what an earlier call did; the name that the earlier one has
        now. Raises ExchangeRefused, PartialGone, OSError, FolderError."""
        if _inode(self._fd, self._exchange.name) != self._inode:
            if _inode(self._fd, self._exchange.name) != self._exchange.inode:
                self._refuse(UpdateReason.MOVED)
            self._put_aside()
            # The last look, a few microseconds before the exchange.
            if fingerprint(self._fd, self._exchange.name) != self._exchange.state:
                self._refuse(UpdateReason.CHANGED)
            name = self._exchange.name
            if not exchange_folders(self._aside, self._partial_fd, name, self._fd):
                self._refuse(UpdateReason.DISK)
        sync_dir_fd(self._partial_fd)  # first, so that the earlier one is found in any case
        sync_dir_fd(self._fd)
        until = self._bring_out()
        for kept in self._exchange.drop:
            self._remove(kept)
        return until

    def settle(self) -> None:
        """It is not wanted any more: what was begun leaves nothing behind, and an earlier folder
        that has given its place comes out. Raises OSError, FolderError."""
        if not self._give_back() and _inode(self._partial_fd, self._aside) is not None:
            self._bring_out()

    def _put_aside(self) -> None:
        if _inode(self._partial_fd, self._aside) == self._inode:
            return
        if _inode(self._partial_fd, self._partial) != self._inode:
            raise PartialGone
        rename_folder(self._partial, self._partial_fd, self._aside, self._partial_fd)

    def _give_back(self) -> bool:
        """The new folder is a partial one again, as it was before; False if it is not aside."""
        if _inode(self._partial_fd, self._aside) != self._inode:
            return False
        return rename_folder(self._aside, self._partial_fd, self._partial, self._partial_fd)

    def _refuse(self, problem: UpdateReason) -> NoReturn:
        self._give_back()
        raise ExchangeRefused(problem)

    def _bring_out(self) -> str:
        """The earlier folder has its new name, which is durable; also if an earlier call did it."""
        until = self._exchange.until
        number = 0
        while (found := status_of(self._fd, numbered_folder(until, number))) is not None:
            if found.st_ino == self._exchange.inode:
                return numbered_folder(until, number)
            number += 1
        if _inode(self._partial_fd, self._aside) is None:
            return until  # its user has moved it since
        while not rename_folder(
            self._aside, self._partial_fd, numbered_folder(until, number), self._fd
        ):
            number += 1
        sync_dir_fd(self._fd)
        sync_dir_fd(self._partial_fd)
        return numbered_folder(until, number)

    def _remove(self, kept: KeptFolder) -> None:
        """One that is too many, unless somebody has changed something in it; also what an earlier
        call has begun to remove."""
        gone = gone_name(self._id, kept.inode)
        with contextlib.suppress(OSError):
            is_there = _inode(self._fd, kept.name) == kept.inode
            if is_there and fingerprint(self._fd, kept.name) == kept.state:
                rename_folder(kept.name, self._fd, gone, self._partial_fd)
            if _inode(self._partial_fd, gone) == kept.inode:
                shutil.rmtree(gone, dir_fd=self._partial_fd)


def _inode(parent_fd: int, name: str) -> int | None:
    found = status_of(parent_fd, name)
    return found.st_ino if found is not None and stat.S_ISDIR(found.st_mode) else None
