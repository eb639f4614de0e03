import socket
import threading
from typing import Any

import pytest

from chatnet_engine.io import resolver as resolver_module
from chatnet_engine.io.resolver import LOOKUP_TIMEOUT_S, MAX_ADDRS, Resolver
from chatnet_engine.node.effects import HostResolved, ResolveHost
from chatnet_protocol.ipc.reasons import LinkReason, reason

V4, V6 = socket.AF_INET, socket.AF_INET6


class Wakeup:
    def __init__(self) -> None:
        self._rung = threading.Semaphore(0)

    def __call__(self) -> None:
        self._rung.release()

    def wait(self) -> None:
        assert self._rung.acquire(timeout=60)


class Names:
    """getaddrinfo from a table; names that are not in it wait for `release`."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table
        self.release = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, type: int) -> list[Any]:
        self.asked.append(host)
        found = self.table.get(host)
        if found is None:
            self.release.wait(5)
            return []
        if isinstance(found, Exception):
            raise found
        return [(V6 if ":" in text else V4, type, 17, "", (text, port)) for text in found]


ASKED = ("friend", 9)


def answer_of(
    ask: ResolveHost, table: dict[str, Any], family: socket.AddressFamily = V6
) -> HostResolved:
    wakeup = Wakeup()
    resolver = Resolver(family, wakeup, lookup=Names(table))
    resolver.ask(ask, 0.0)
    wakeup.wait()
    [answer] = resolver.take_answers(0.0)
    return answer


def test_a_name_gives_its_addresses_in_order_without_repeats() -> None:
    ask = ResolveHost(3, "friend", 9)
    table = {"friend": ["10.0.0.7", "::1", "10.0.0.7"]}
    assert answer_of(ask, table) == HostResolved(3, [("10.0.0.7", 9), ("::1", 9)], asked=ASKED)
    assert answer_of(ask, table, V4) == HostResolved(3, [("10.0.0.7", 9)], asked=ASKED)


def test_addresses_are_bounded() -> None:
    table = {"many": [f"10.0.0.{number}" for number in range(200)]}
    assert len(answer_of(ResolveHost(1, "many", 9), table).addrs) == MAX_ADDRS


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (
            socket.gaierror(-2, "Name or service not known"),
            reason(LinkReason.HOST_NOT_FOUND, "x", "Name or service not known"),
        ),
        (UnicodeError("label too long"), reason(LinkReason.HOST_INVALID, "x")),
        ([], reason(LinkReason.HOST_WITHOUT_ADDRESS, "x")),
    ],
)
def test_failures_have_a_code(found: Any, why: Any) -> None:
    answer = answer_of(ResolveHost(1, "x", 9), {"x": found})
    assert answer.addrs == []
    assert answer.error == why


def test_numeric_hosts_need_no_lookup() -> None:
    names = Names({})
    resolver = Resolver(V4, Wakeup(), lookup=names)
    resolver.ask(ResolveHost(1, "127.0.0.1", 9), 0.0)
    resolver.ask(ResolveHost(2, "::1", 9), 0.0)
    four, six = resolver.take_answers(0.0)
    assert four == HostResolved(1, [("127.0.0.1", 9)], asked=("127.0.0.1", 9))
    assert six.addrs == []
    assert six.error == reason(LinkReason.HOST_NEEDS_IPV6, "::1")
    assert names.asked == []


def test_a_lookup_that_takes_too_long_fails_once_and_its_late_answer_is_dropped() -> None:
    wakeup, names = Wakeup(), Names({})
    resolver = Resolver(V4, wakeup, lookup=names)
    ask = ResolveHost(1, "slow", 9)
    resolver.ask(ask, 0.0)
    resolver.ask(ask, 1.0)
    assert resolver.next_timeout() == LOOKUP_TIMEOUT_S
    assert resolver.take_answers(LOOKUP_TIMEOUT_S - 0.1) == []
    [answer] = resolver.take_answers(LOOKUP_TIMEOUT_S)
    assert answer.error == reason(LinkReason.LOOKUP_SLOW, "slow")
    assert resolver.next_timeout() is None
    names.release.set()
    wakeup.wait()
    assert resolver.take_answers(LOOKUP_TIMEOUT_S) == []
    assert names.asked == ["slow"]


def test_threads_and_waiting_lookups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver_module, "MAX_WAITING", 2)
    wakeup, names = Wakeup(), Names({})
    resolver = Resolver(V4, wakeup, lookup=names)
    for peer in range(8):
        resolver.ask(ResolveHost(peer, f"host{peer}", 9), 0.0)
    answers = resolver.take_answers(0.0)
    assert [answer.peer for answer in answers] == [6, 7]
    assert answers[0].error == reason(LinkReason.LOOKUPS_BUSY)
    names.release.set()
    found: list[HostResolved] = []
    while len(found) < 6:
        wakeup.wait()
        found += resolver.take_answers(0.0)
    assert sorted(answer.peer for answer in found) == list(range(6))
