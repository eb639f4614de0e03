"""Wrong variants of what the engine does with its files; killed by lost power, not by seeds."""

import contextlib
import os
import shutil
from typing import Any

from chatnet_engine.io import (
    backup,
    file_finish,
    file_folder,
    file_partial,
    history_file,
    private_dir,
    restore_backup,
    state_change,
    state_files,
)
from chatnet_engine.io.file_folder import Folder
from chatnet_engine.io.file_tree import FileTree
from chatnet_engine.io.private_dir import write_durably
from chatnet_engine.secure import identity
from simulate import power
from simulate.mutant import Patches, noticed_by, swap

POWER = "tests/sim/test_power.py::test_what_is_left_after_any_cut_keeps_the_promises"
FIRST_START, RECEIVE, RESTORE, BACKUP = (
    f"{POWER}[{story}]" for story in ("first start", "receive", "restore", "backup")
)
SPOILED = "tests/sim/test_power.py::test_spoiled_state_files_are_never_taken_in_silence"


class _NoSync:
    """`os`, but nothing becomes durable."""

    def __getattr__(self, name: str) -> Any:
        return (lambda fd: None) if name in ("fsync", "fdatasync") else getattr(os, name)


@noticed_by(FIRST_START)
def nothing_is_synced_outside_sqlite() -> Patches:
    """Files and folders reach the disk some time."""
    modules = (private_dir, file_finish, file_partial, file_folder, backup, restore_backup)
    return [swap(module, "os", _NoSync()) for module in modules]


@noticed_by(RECEIVE)
def new_folders_are_not_synced_into_their_parents() -> Patches:
    """A folder's own sync is thought to keep its name."""

    def make_dirs(path: str) -> None:
        os.makedirs(path, 0o700, exist_ok=True)

    modules = (file_folder,)
    return [
        *(swap(module, "make_dirs", make_dirs) for module in modules),
        swap(state_change, "sync_dirs_above", lambda path: None),
    ]


@noticed_by(RECEIVE)
def folders_of_received_files_are_not_synced() -> Patches:
    """Inside a folder that is not complete."""
    return [swap(FileTree, "keep_names", lambda self: None)]


@noticed_by(RECEIVE)
def a_complete_folder_is_not_synced() -> Patches:
    """What is in it counts before it is on the disk."""
    return [swap(FileTree, "finish", lambda self: os.fstat(self._fd).st_ino)]


@noticed_by(RECEIVE)
def names_of_partial_files_are_not_synced() -> Patches:
    """Bytes are thought to be enough."""
    return [swap(Folder, "keep_partials", lambda self: None)]


@noticed_by(FIRST_START)
def the_point_of_no_return_is_not_atomic() -> Patches:
    """A change may be read before its list is complete."""
    return [swap(state_change, "write_atomically", write_durably)]


@noticed_by(FIRST_START)
def a_change_that_was_cut_is_forgotten() -> Patches:
    """Also past the point of no return."""
    install, finish = state_change.install, state_change.finish

    def forget(folder: str) -> None:
        shutil.rmtree(os.path.join(folder, state_change.DRAFT), ignore_errors=True)

    def complete(*args: Any, **named: Any) -> str:
        with swap(state_change, "finish", finish):
            return install(*args, **named)

    return [
        swap(state_change, "finish", forget),
        swap(state_change, "install", complete),
    ]


@noticed_by(RESTORE)
def the_log_of_a_replaced_history_stays() -> Patches:
    """A restored history meets what an older one had not checkpointed."""
    return [swap(state_change, "SIDE_FILES", ())]


@noticed_by(RESTORE)
def what_is_replaced_is_not_kept() -> Patches:
    """The old state is removed."""

    def remove(path: str, aside: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    return [swap(state_change, "_set_aside", remove)]


@noticed_by(BACKUP)
def drafts_of_backups_stay() -> Patches:
    """Nobody removes what a killed engine left of one."""
    return [swap(power, "sweep", lambda session: None)]


@noticed_by(SPOILED)
def the_check_of_the_key_is_not_looked_at() -> Patches:
    """Every 32 bytes are a key."""

    def trusting(data: bytes) -> tuple[bytes, bool]:
        return data[: identity.KEY_BYTES], True

    return [swap(state_files, "decode_private_key", trusting)]


@noticed_by(SPOILED)
def the_history_does_not_know_its_key() -> Patches:
    """Any identity goes with any history."""
    return [swap(history_file, "adopt", lambda db, key: None),
            swap(state_change, "adopt", lambda db, key: None)]  # fmt: skip


@noticed_by(SPOILED)
def the_owner_of_known_peers_is_not_looked_at() -> Patches:
    """Another session's trusted keys are taken."""
    owner_of = vars(state_files)["owner_of"]

    def blind(lines: Any) -> bytes:
        owner_of(lines)
        return b""

    return [swap(state_files, "owner_of", blind)]
