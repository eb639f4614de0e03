"""Owns who is attached, and in which role.

A client is known by its routing id, and detached when its connection ends or has been silent for
CLIENT_TIMEOUT_S; when it attaches again, it gets a new client number. When all places are taken,
the one that was silent longest makes room for a newcomer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from chatnet_engine.clock import Now
from chatnet_engine.deadlines import Deadlines
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import (
    READ_ONLY_COMMANDS,
    Attach,
    Command,
    FetchSnapshot,
    FetchSpace,
    FetchStatus,
    StopEngine,
)
from chatnet_protocol.ipc.rows import ClientRole, ClientRow
from chatnet_protocol.limits import (
    CLIENT_SILENT_S,
    CLIENT_TIMEOUT_S,
    MAX_BRIEF_CLIENTS,
    MAX_CLIENT_NAME_BYTES,
    MAX_CLIENTS,
)
from chatnet_protocol.version import Capability

UNATTACHED = (Attach, FetchStatus, FetchSnapshot, FetchSpace, StopEngine)
"""Commands of anybody: an engine can be observed and stopped when all places are taken."""


@dataclass(slots=True)
class Client:
    """One attached front end."""

    row: ClientRow
    last_received_s: float
    seq: int
    """Last event it says it has applied."""
    brief: bool = False
    """It is there for one command, and takes one of the places kept for that."""


class Clients:
    """All attached front ends by routing id."""

    def __init__(self) -> None:
        self._by_routing_id: dict[bytes, Client] = {}
        self._checks: Deadlines[bytes] = Deadlines()
        """When each may have been silent for too long: not put anew by what it asks meanwhile."""
        self._count = 0

    def __len__(self) -> int:
        return len(self._by_routing_id)

    def __iter__(self) -> Iterator[Client]:
        return iter(self._by_routing_id.values())

    def attach(self, routing_id: bytes, command: Attach, now: Now) -> tuple[Client, int]:
        """The client with this routing id and the number of the one it replaces (0: none).

        Raises CommandError for an unknown role, a bad name, or too many clients.
        """
        _check_attach(command)
        known = self._by_routing_id.get(routing_id)
        if known and (known.row.name, known.row.role) == (command.name, command.role):
            known.last_received_s = now.mono_s
            return known, known.row.client
        brief = Capability.BRIEF in command.capabilities
        if not known and self._is_full(brief):
            raise CommandError(
                ErrorCode.BUSY, f"{MAX_CLIENTS} front ends are attached already; close one."
            )
        self._count += 1
        row = ClientRow(self._count, command.name, command.role, now.wall_ms)
        client = self._by_routing_id[routing_id] = Client(row, now.mono_s, 0, brief)
        self._checks.put(routing_id, now.mono_s + CLIENT_TIMEOUT_S)
        return client, known.row.client if known else 0

    def make_room(self, routing_id: bytes, command: Attach, now: Now) -> int:
        """The number of the client that gives its place to this newcomer; 0: none has to or can.

        Raises CommandError for what `attach` would refuse.
        """
        _check_attach(command)
        brief = Capability.BRIEF in command.capabilities
        if routing_id in self._by_routing_id or not self._is_full(brief):
            return 0
        silent = [
            (client.last_received_s, other)
            for other, client in self._by_routing_id.items()
            if client.brief == brief and client.last_received_s + CLIENT_SILENT_S < now.mono_s
        ]
        return self.detach(min(silent)[1]) if silent else 0

    def _is_full(self, brief: bool) -> bool:
        taken = sum(client.brief == brief for client in self)
        return taken >= (MAX_BRIEF_CLIENTS if brief else MAX_CLIENTS)

    def detach(self, routing_id: bytes) -> int:
        """The number of the client that was with this routing id; 0: none."""
        client = self._by_routing_id.pop(routing_id, None)
        self._checks.put(routing_id, None)
        return client.row.client if client else 0

    def check(self, routing_id: bytes, command: Command, now: Now) -> Client | None:
        """The client that may ask this. Raises CommandError when it may not."""
        client = self._by_routing_id.get(routing_id)
        if client is None:
            if isinstance(command, UNATTACHED):
                return None
            raise CommandError(ErrorCode.UNKNOWN_CLIENT, "Attach first.")
        client.last_received_s = now.mono_s
        if client.row.role == ClientRole.READ_ONLY and not isinstance(command, READ_ONLY_COMMANDS):
            raise CommandError(ErrorCode.NOT_ALLOWED, "This front end is attached read-only.")
        return client

    def take_expired(self, now: Now) -> list[int]:
        """Remove clients silent for CLIENT_TIMEOUT_S; returns their numbers."""
        numbers: list[int] = []
        for routing_id in self._checks.take_due(now.mono_s):
            due_s = self._by_routing_id[routing_id].last_received_s + CLIENT_TIMEOUT_S
            if due_s <= now.mono_s:
                numbers.append(self.detach(routing_id))
            else:
                self._checks.put(routing_id, due_s)
        return numbers

    def next_timeout(self) -> float | None:
        """When the next client may have been silent for too long."""
        return self._checks.next_timeout()

    def number(self, routing_id: bytes) -> int:
        """The client with this routing id; 0: none."""
        client = self._by_routing_id.get(routing_id)
        return client.row.client if client else 0

    def note(self, routing_id: bytes, seq: int) -> None:
        """The client with this routing id says it has applied events up to `seq`."""
        if client := self._by_routing_id.get(routing_id):
            client.seq = seq


def _check_attach(command: Attach) -> None:
    if command.role not in (ClientRole.FULL, ClientRole.READ_ONLY):
        raise CommandError(ErrorCode.INVALID, "A role is 'full' or 'read-only'.")
    if not command.name or len(command.name.encode()) > MAX_CLIENT_NAME_BYTES:
        raise CommandError(ErrorCode.INVALID, "A client name has 1 to 64 bytes.")
