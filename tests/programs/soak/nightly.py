"""The nightly folder of each side: offered as an update again and again, checked where it lands.

Each state lies in a folder of its own, so that what is under way is never written to. Whatever has
a final name is one of the states that were offered, whole, at every moment.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

NAME = "nightly"
FILES = 12
FILE_BYTES = 40_000
CHANGED = 0.3
"""So many of the files are other ones in the next state."""
FIRST_S = 1_700_000_000


def write_state(top: Path, earlier: Path | None, number: int, random: Random) -> bytes:
    """Make the next state in `top`: its digest. Files that stay keep their times."""
    for index in range(FILES):
        name = f"{index % 3}/{index}.bin"
        former = earlier / name if earlier is not None else None
        if former is not None and former.is_file() and random.random() > CHANGED:
            data, at_s = former.read_bytes(), int(former.stat().st_mtime)
        elif random.random() < CHANGED / 2:
            continue  # removed, or not there yet
        else:
            data, at_s = random.randbytes(random.randrange(FILE_BYTES)), FIRST_S + number
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (at_s, at_s))
    top.mkdir(parents=True, exist_ok=True)
    (top / "state").write_text(str(number))
    digest = digest_of(top)
    assert digest is not None
    return digest


def digest_of(top: Path) -> bytes | None:
    """Of everything in a folder; None when it was moved meanwhile."""
    hasher = hashlib.blake2b()
    try:
        fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        for path, folders, names, folder_fd in os.fwalk(".", dir_fd=fd):
            folders.sort()
            for name in sorted(names):
                with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=folder_fd), "rb") as file:
                    data = file.read()
                hasher.update(f"{path}/{name} {len(data)}\n".encode())
                hasher.update(data)
        inode = os.fstat(fd).st_ino
        return hasher.digest() if os.stat(top).st_ino == inode else None
    except FileNotFoundError:
        return None
    finally:
        os.close(fd)


def look(inbox: Path, read_offered: Callable[[], set[bytes]]) -> Iterator[str]:
    """Check every state that has a final name."""
    found = {path.name: digest_of(path) for path in inbox.glob(f"{NAME}*") if path.is_dir()}
    offered = read_offered()  # after the look: it may be there within milliseconds
    for name, digest in found.items():
        if digest is not None and digest not in offered:
            yield f"{name} has its final name and is no state that was offered"
