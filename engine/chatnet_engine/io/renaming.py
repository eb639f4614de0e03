"""Gives a folder another name, and never takes that of anything else."""

import ctypes
import errno
import os

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
NOT_SUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})
"""What kernels and file systems answer that do not know the flag."""

_LIBC = ctypes.CDLL(None, use_errno=True)


def rename_folder(name: str, folder_fd: int, new_name: str, new_folder_fd: int) -> bool:
    """Move a folder below `folder_fd` to below `new_folder_fd`; False when the name is taken.

    One step for everybody who looks. Raises OSError.
    """
    code = _renameat2(folder_fd, name, new_folder_fd, new_name)
    if code in NOT_SUPPORTED:
        return _rename(name, folder_fd, new_name, new_folder_fd)
    if code in (errno.EEXIST, errno.ENOTEMPTY):
        return False
    if code:
        raise OSError(code, os.strerror(code), new_name)
    return True


def exchange_folders(name: str, folder_fd: int, other: str, other_folder_fd: int) -> bool:
    """Two folders change places, in one step for everybody who looks; False where the kernel or the
    file system cannot do that. Raises OSError."""
    code = _renameat2(folder_fd, name, other_folder_fd, other, RENAME_EXCHANGE)
    if code in NOT_SUPPORTED:
        return False
    if code:
        raise OSError(code, os.strerror(code), other)
    return True


def _renameat2(
    folder_fd: int, name: str, new_folder_fd: int, new_name: str, flag: int = RENAME_NOREPLACE
) -> int:
    """0 or an errno."""
    try:
        call = _LIBC.renameat2
    except AttributeError:  # a C library older than the call
        return errno.ENOSYS
    failed = call(folder_fd, os.fsencode(name), new_folder_fd, os.fsencode(new_name), flag)
    return ctypes.get_errno() if failed else 0


def _rename(name: str, folder_fd: int, new_name: str, new_folder_fd: int) -> bool:
    """Without the flag (some network and FUSE file systems). Nothing is lost even if somebody takes
    the name at this very moment: a folder moves over nothing but an empty folder (POSIX)."""
    try:
        os.stat(new_name, dir_fd=new_folder_fd, follow_symlinks=False)
    except FileNotFoundError:
        pass
    else:
        return False
    try:
        os.rename(name, new_name, src_dir_fd=folder_fd, dst_dir_fd=new_folder_fd)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            return False
        raise
    return True
