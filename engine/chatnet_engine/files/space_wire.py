"""What engine and file process say to each other about what receiving takes on the disk."""

from msgspec import Struct

from chatnet_engine.files.update_wire import KeptFolder
from chatnet_protocol.ipc.results import Space


class Earlier(Struct, frozen=True, gc=False, array_like=True):
    """An earlier state of a folder that transfer `id` has updated, in `folder`."""

    id: bytes
    folder: str
    kept: KeptFolder


class Survey(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Count partial files in `folders` and earlier states, and with `clean` remove those of them
    that nobody needs. Answered by Surveyed.

    `ended`: transfers whose partial files are left over. What is of none of these, nor of one that
    is `under_way`, may be that of another session, and is left over when it is old.
    """

    folders: list[str]
    ended: list[bytes]
    earlier: list[Earlier]
    clean: bool = False
    under_way: list[bytes] = []


class Surveyed(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """What is there now, and what was removed. None: it failed inside."""

    space: Space | None
