"""Folders of files on the disk as plain values: written, and read back."""

import os
from pathlib import Path

OLD_S = 1_234_567_890
"""No file written here is older; which moment it is depends on what is in it."""

Tree = dict[str, bytes]
"""What is in each file, by its path below the folder."""


def write(top: Path, files: Tree) -> None:
    """The folder has these files afterwards, and none besides; those that stay keep their times."""
    top.mkdir(parents=True, exist_ok=True)
    for path in sorted(top.rglob("*"), reverse=True):
        name = path.relative_to(top).as_posix()
        if path.is_dir():
            if not any(one.startswith(f"{name}/") for one in files):
                path.rmdir()
        elif name not in files:
            path.unlink()
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            seconds = OLD_S + sum(content[:10])
            os.utime(path, (seconds, seconds))


def look(top: Path) -> Tree:
    """What is in a file (under the name ""), or in a folder."""
    if top.is_file():
        return {"": top.read_bytes()}
    found = {path.relative_to(top).as_posix(): path for path in top.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items()}
