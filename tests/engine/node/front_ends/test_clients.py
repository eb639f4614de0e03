"""Who is attached, and in which role."""

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.node.front_ends.clients import Clients
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import (
    Attach,
    FetchSnapshot,
    FetchSpace,
    FetchStatus,
    KeepAlive,
    MarkRead,
    StopEngine,
)
from chatnet_protocol.limits import (
    CLIENT_SILENT_S,
    CLIENT_TIMEOUT_S,
    MAX_BRIEF_CLIENTS,
    MAX_CLIENTS,
)
from chatnet_protocol.version import IPC_VERSION, Capability

NOW = Now(10.0, 1)


def attach(name: str = "qt", role: str = "full") -> Attach:
    return Attach(name, role, IPC_VERSION)


def code_of(call: object, *args: object) -> str:
    with pytest.raises(CommandError) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value.code


def test_clients_are_numbered_and_an_attach_repeated_is_the_same_client() -> None:
    clients = Clients()
    first, replaced = clients.attach(b"r1", attach(), NOW)
    assert (first.row.client, replaced) == (1, 0)
    again, replaced = clients.attach(b"r1", attach(), NOW)
    assert again is first
    assert replaced == 1
    other, _ = clients.attach(b"r2", attach("cli"), NOW)
    assert other.row.client == 2
    assert (clients.number(b"r2"), clients.number(b"r3"), len(clients)) == (2, 0, 2)


def test_another_role_on_the_same_route_is_a_new_client() -> None:
    clients = Clients()
    clients.attach(b"r", attach(), NOW)
    client, replaced = clients.attach(b"r", attach(role="read-only"), NOW)
    assert (client.row.client, replaced, len(clients)) == (2, 1, 1)


@pytest.mark.parametrize("command", [attach(role="root"), attach(name=""), attach(name="x" * 65)])
def test_bad_roles_and_names_are_refused(command: Attach) -> None:
    assert code_of(Clients().attach, b"r", command, NOW) == ErrorCode.INVALID


def test_the_number_of_clients_is_bounded() -> None:
    clients = Clients()
    for number in range(MAX_CLIENTS):
        clients.attach(bytes([number]), attach(), NOW)
    assert code_of(clients.attach, b"one more", attach(), NOW) == ErrorCode.BUSY


def full(clients: Clients, now: Now = NOW) -> None:
    for number in range(MAX_CLIENTS):
        clients.attach(bytes([number]), attach(), now)


def test_the_longest_silent_client_gives_way_to_a_newcomer() -> None:
    clients = Clients()
    full(clients)
    later = Now(NOW.mono_s + CLIENT_SILENT_S + 0.1, 1)
    for number in range(MAX_CLIENTS):
        if number != 7:
            clients.check(bytes([number]), KeepAlive(0), later)
    assert clients.make_room(b"\x03", attach(), later) == 0  # it is attached already
    assert clients.make_room(b"one more", attach(), later) == 8
    assert clients.number(b"\x07") == 0
    client, _ = clients.attach(b"one more", attach(), later)
    assert client.row.client == MAX_CLIENTS + 1
    assert clients.make_room(b"and one", attach(), later) == 0
    assert code_of(clients.attach, b"and one", attach(), later) == ErrorCode.BUSY


def test_nobody_gives_way_to_what_is_refused_anyway() -> None:
    clients = Clients()
    full(clients)
    later = Now(NOW.mono_s + CLIENT_SILENT_S + 0.1, 1)
    assert code_of(clients.make_room, b"bad", attach(role="root"), later) == ErrorCode.INVALID
    assert len(clients) == MAX_CLIENTS


def test_brief_clients_have_places_of_their_own() -> None:
    clients = Clients()
    full(clients)
    brief = Attach("verb", "full", IPC_VERSION, [Capability.BRIEF])
    for number in range(MAX_BRIEF_CLIENTS):
        assert clients.make_room(b"v%d" % number, brief, NOW) == 0
        clients.attach(b"v%d" % number, brief, NOW)
    assert code_of(clients.attach, b"v", brief, NOW) == ErrorCode.BUSY
    later = Now(NOW.mono_s + CLIENT_SILENT_S + 0.1, 1)
    assert clients.make_room(b"v", brief, later) == MAX_CLIENTS + 1


def test_strangers_may_only_attach_ask_for_the_status_or_stop() -> None:
    clients = Clients()
    assert clients.check(b"r", FetchStatus(), NOW) is None
    assert clients.check(b"r", attach(), NOW) is None
    assert clients.check(b"r", FetchSnapshot(b"", 0, 0), NOW) is None
    assert clients.check(b"r", FetchSpace(), NOW) is None
    assert clients.check(b"r", StopEngine(), NOW) is None
    assert code_of(clients.check, b"r", KeepAlive(0), NOW) == ErrorCode.UNKNOWN_CLIENT


def test_read_only_clients_change_nothing() -> None:
    clients = Clients()
    clients.attach(b"r", attach(role="read-only"), NOW)
    assert clients.check(b"r", KeepAlive(0), NOW)
    assert code_of(clients.check, b"r", MarkRead(1, 1), NOW) == ErrorCode.NOT_ALLOWED


def test_silent_clients_are_given_up() -> None:
    clients = Clients()
    clients.attach(b"old", attach(), NOW)
    later = Now(NOW.mono_s + CLIENT_TIMEOUT_S / 2, 1)
    clients.attach(b"new", attach(), later)
    assert clients.next_timeout() == NOW.mono_s + CLIENT_TIMEOUT_S
    assert clients.take_expired(Now(NOW.mono_s + CLIENT_TIMEOUT_S, 1)) == [1]
    assert [client.row.client for client in clients] == [2]
    assert clients.detach(b"new") == 2
    assert clients.detach(b"new") == 0
    assert clients.next_timeout() is None


def test_what_a_client_has_applied_is_noted() -> None:
    clients = Clients()
    client, _ = clients.attach(b"r", attach(), NOW)
    clients.note(b"r", 7)
    clients.note(b"gone", 9)
    assert client.seq == 7
