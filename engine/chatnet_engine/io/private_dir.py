"""Folders and files that nobody else may enter: made, verified, read and written durably.

What is not a regular file is refused at once: opening a FIFO or a device would wait for ever, and
behind a link another session may write.
"""

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Mapping

from chatnet_protocol.errors import CommandError, ErrorCode

logger = logging.getLogger(__name__)

NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.EROFS, errno.EOPNOTSUPP})
"""What file systems answer that keep names some other way, or cannot have changed."""


def make_dirs(path: str) -> None:
    """Make a folder and its missing parents, 0700, each name on disk. Raises OSError."""
    parent = os.path.dirname(path) or os.curdir
    try:
        os.mkdir(path, 0o700)
    except FileNotFoundError:
        if os.path.isdir(parent):
            raise  # a place like /proc, where nothing can be made
        make_dirs(parent)
        make_dirs(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None
    else:
        sync_dir(parent)


def make_private_dir(path: str) -> None:
    """Make `path`, 0700 and ours; its parent is there. Raises CommandError for anybody else's.

    An own folder that others may enter is closed to them; a symlink at `path` itself is refused.
    """
    try:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        else:
            sync_dir(os.path.dirname(path))
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise CommandError(ErrorCode.NOT_ALLOWED, f"{path} is not a folder of yours.")
        if status.st_mode & 0o077:
            os.chmod(path, 0o700)
    except OSError as error:
        raise CommandError(ErrorCode.FILE, f"{path} cannot be made: {error.strerror}.") from None


def open_regular(path: str, flags: int) -> int:
    """The descriptor of a file of ours, never of anything else. Raises OSError, at once."""
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ELOOP):  # a FIFO or socket, a link
            raise OSError(error.errno, "it is not a regular file") from None
        raise
    try:
        check_regular(os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return fd


def check_regular(status: os.stat_result) -> None:
    """Raises OSError unless it is that of a file that has one name."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    if status.st_nlink > 1:
        raise OSError(errno.EMLINK, "it has a second name (a hard link); make a copy instead")


def read_private(path: str, size: int) -> bytes:
    """At most `size` bytes of a file of ours; one that others could read is closed to them.

    Raises OSError.
    """
    with open(open_regular(path, os.O_RDONLY), "rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            logger.warning("others could read %s; now they cannot", os.path.basename(path))
            with contextlib.suppress(OSError):  # a read-only disk, a file system without modes
                os.fchmod(file.fileno(), 0o600)
        return file.read(size)


def write_durably(path: str, data: bytes) -> None:
    """Make the 0600 file `path` anew, its bytes on disk; its name is not yet. Raises OSError."""
    try:
        os.unlink(path)  # what an earlier try left, whatever it is
    except FileNotFoundError:
        pass
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        os.fchmod(fd, 0o600)
        file.write(data)
        file.flush()
        os.fsync(fd)


def write_atomically(path: str, data: bytes) -> None:
    """Replace `path` by a 0600 file that is complete and on disk whenever it is seen.

    Raises OSError, and `path` is as it was.
    """
    draft = f"{path}.new"
    write_durably(draft, data)
    os.replace(draft, path)
    sync_dir(os.path.dirname(path))


def sync_dir(path: str) -> None:
    """Make durable which names a folder holds. Raises OSError, but not where it may not be read."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return  # a parent that others own; they made it, and it was there before us
    try:
        sync_dir_fd(folder)
    finally:
        os.close(folder)


def sync_dir_fd(folder: int) -> None:
    """The same of an open folder. Raises OSError, but not where folders have no sync."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise


def sync_dirs_above(path: str) -> None:
    """Make durable that `path` is found at all, up to its mount point. Raises OSError."""
    while not os.path.ismount(path):
        path = os.path.dirname(path)
        sync_dir(path)


def socket_dirs(environ: Mapping[str, str], temporary: str, uid: int) -> list[str]:
    """Where sockets may live, best first: the login's runtime folder, else a private one."""
    dirs = [os.path.join(temporary, f"chatnet-{uid}")]
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        dirs.insert(0, os.path.join(runtime, "chatnet"))
    return dirs
