"""Owns which complete things may not have their final name yet.

A name counts when the store has it: only then may the file process give it, so that a restart
recognises what an earlier process did.
"""

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.detail import Detail
from chatnet_engine.files.names import safe_name
from chatnet_engine.files.outputs import Outputs
from chatnet_protocol.ipc.offer import OfferedThing


class Placing:
    """One transfer's; the list itself is stored in its detail."""

    def __init__(
        self, transfer_id: bytes, detail: Detail, things: list[OfferedThing], out: Outputs
    ) -> None:
        self._id = transfer_id
        self._things = things
        self._detail = detail
        self._out = out
        self._durable = len(detail.placing)
        """So many of `placing` are in the store ..."""
        self._storing = 0
        """... and so many will be after the commit that was asked for."""

    def __bool__(self) -> bool:
        return bool(self._detail.placing)

    def add(self, thing: int, name: str, inode: int) -> None:
        """It is complete, and has its name as soon as that is in the store."""
        self._detail.placing.append((thing, name, inode))

    def remove(self, thing: int) -> bool:
        """It has its name, or will not have one; False if nothing waited for it."""
        for at, (known, _, _) in enumerate(self._detail.placing):
            if known == thing:
                del self._detail.placing[at]
                self._durable -= at < self._durable
                self._storing -= at < self._storing
                return True
        return False

    def rename(self, thing: int, name: str) -> bool:
        """The name was taken: another one is to be stored; False if nothing waited for it."""
        for known, _, inode in list(self._detail.placing):
            if known == thing and self.remove(thing):
                self.add(thing, name, inode)
                return True
        return False

    def begin_store(self) -> None:
        """The detail is stored as it is now."""
        self._storing = len(self._detail.placing)

    def handle_stored(self) -> None:
        """It is stored: what is new may get its name."""
        first, self._durable = self._durable, self._storing
        self._ask(first)

    def ask_again(self) -> None:
        """Have everything placed whose name is in the store."""
        self._ask(0)

    def clear(self) -> None:
        """Nothing is to be placed any more."""
        self._detail.placing.clear()
        self._durable = self._storing = 0

    def _ask(self, first: int) -> None:
        for thing, name, inode in self._detail.placing[first : self._durable]:
            wanted = safe_name(self._things[thing].name)
            exchange = self._detail.exchange
            folder = self._detail.folder
            self._out.ask(pw.Place(self._id, folder, thing, name, wanted, inode, exchange))
