"""What jobs of the file process are made of: files to send, and how the two sides meet."""

from msgspec import Struct

from chatnet_engine.addresses import Addr


class ScannedFile(Struct, frozen=True, gc=False, array_like=True):
    """A file to send: `path` continues the folder that holds the root with that number."""

    root: int
    path: list[str]
    size_bytes: int
    modified_ns: int
    executable: bool = False


class Connect(Struct, frozen=True, gc=False, array_like=True):
    """How the two sides meet for one job.

    `addrs` to dial one after the other; none: wait for the other side at the listener. `bulk`: no
    TCP, but the bytes of a bulk stream (BulkOut, BulkIn).
    """

    handle: bytes
    token: bytes
    suite: int
    addrs: list[Addr]
    valid_s: float
    bulk: bool = False
