"""What engine and file process say to each other about updates of received folders.

An update takes an earlier folder's place: both change places in one step, and the earlier one gets
another name beside it.
"""

from msgspec import Struct


class EarlierFolder(Struct, frozen=True, gc=False, array_like=True):
    """A received folder that is to be updated: its name and inode, and what came into it.

    `offer`: body of the offer it came with; `digests`: of that offer's files, BLAKE3. With a
    listing there are none: the process has the manifest of transfer `id`.
    """

    name: str
    inode: int
    offer: bytes
    digests: bytes
    id: bytes = b""


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


class Prepare(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Take what an update has in common with the earlier folder from there, before it is received.

    Answered by Comparing..., then Prepared, or Ended if that is not possible now: as UNLISTED when
    the listing of the new state has to be here first.
    """

    job: int
    id: bytes
    folder: str
    offer: bytes
    earlier: EarlierFolder


class Comparing(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """So much of the earlier folder is compared; at most one a second."""

    job: int
    files: int
    of_files: int
    size_bytes: int
    of_bytes: int


class Prepared(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Last report of a job that prepares. `have`: files that are durable in the partial folder, as
    a `FileSet`; `digests`: theirs, in their order, unless a manifest has them.

    `state`: fingerprint of the earlier folder; empty if something in it is not as it was, and
    `problem` (an UpdateReason value) says what. `until`: what it is called when it is replaced
    today.
    """

    job: int
    have: bytes
    digests: bytes
    state: bytes
    until: str
    problem: str = ""
