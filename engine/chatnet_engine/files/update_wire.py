"""What engine and file process say to each other about updates of received folders.

An update takes an earlier folder's place: both change places in one step, and the earlier one gets
another name beside it.
"""

from msgspec import Struct


class EarlierFolder(Struct, frozen=True, gc=False, array_like=True):
    """A received folder that is to be updated: its name and inode, and what came into it.

    `offer`: body of the offer it came with; `digests`: of that offer's files, BLAKE3.
    """

    name: str
    inode: int
    offer: bytes
    digests: bytes


class KeptFolder(Struct, frozen=True, gc=False, array_like=True):
    """An earlier state of a folder, beside it. `state`: fingerprint of what is in it, see
    `io.file_state`."""

    name: str
    inode: int
    size_bytes: int
    state: bytes


class Exchange(Struct, frozen=True, gc=False, array_like=True):
    """How a complete folder takes the place of an earlier one that has this name, inode and state.

    The earlier one gets the name `until` or a numbered one. `drop`: still earlier ones that are
    removed, if nothing in them has changed.
    """

    name: str
    inode: int
    state: bytes
    until: str
    drop: list[KeptFolder] = []
