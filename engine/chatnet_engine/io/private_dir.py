"""Folders and files that nobody else may enter: made, verified, written atomically."""

import os
import stat
from collections.abc import Mapping

from chatnet_protocol.errors import CommandError, ErrorCode


def make_private_dir(path: str) -> None:
    """Make `path` (and its parents), 0700 and ours. Raises CommandError for anybody else's.

    An own folder that others may enter is closed to them; a symlink at `path` itself is refused.
    """
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise CommandError(ErrorCode.NOT_ALLOWED, f"{path} is not a folder of yours.")
        if status.st_mode & 0o077:
            os.chmod(path, 0o700)
    except OSError as error:
        raise CommandError(ErrorCode.FILE, f"{path} cannot be made: {error.strerror}.") from None


def write_atomically(path: str, data: bytes) -> None:
    """Replace `path` by a 0600 file that is complete and on disk whenever it is seen.

    Raises OSError, and `path` is as it was.
    """
    draft = f"{path}.new"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as file:
        os.fchmod(fd, 0o600)
        file.write(data)
        file.flush()
        os.fsync(fd)
    os.replace(draft, path)
    sync_dir(os.path.dirname(path))


def sync_dir(path: str) -> None:
    """Make durable which names a folder holds. Raises OSError."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def socket_dirs(environ: Mapping[str, str], temporary: str, uid: int) -> list[str]:
    """Where sockets may live, best first: the login's runtime folder, else a private one."""
    dirs = [os.path.join(temporary, f"chatnet-{uid}")]
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        dirs.insert(0, os.path.join(runtime, "chatnet"))
    return dirs
