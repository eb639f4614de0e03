"""Addresses as people type them, and when a name that was not found is looked up again."""

import pytest

from chatnet_engine.node.addresses import format_addr, parse_addr, plain_host
from chatnet_engine.node.config import Now
from chatnet_engine.node.host_names import HostNames
from chatnet_protocol.ipc.rows import PeerRow


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("[::1]", "::1"),
        (" ::1 ", "::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("192.0.2.1", "192.0.2.1"),
        ("a.example", "a.example"),
    ],
)
def test_a_typed_host_has_one_form(typed: str, host: str) -> None:
    assert plain_host(typed) == host


@pytest.mark.parametrize("addr", [("::1", 5000), ("192.0.2.1", 1), ("fe80::1%2", 65535)])
def test_what_is_printed_is_read(addr: tuple[str, int]) -> None:
    assert parse_addr(format_addr(addr)) == addr


def test_a_name_that_is_not_found_is_asked_for_again_after_1_2_4_up_to_60_s() -> None:
    names = HostNames()
    now_s = 100.0
    names.want(PeerRow(1, "Bob", "bob.example", 5000), Now(now_s, 0))
    pauses = []
    for _ in range(9):
        names.handle_timeout(set(), Now(now_s, 0))
        assert len(names.take_resolves()) == 1
        names.handle_resolved(1, [], Now(now_s, 0))
        pauses.append((names.next_timeout() or 0.0) - now_s)
        now_s += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    names.handle_resolved(1, [("192.0.2.1", 5000)], Now(now_s, 0))
    assert names.next_timeout() == now_s + 60
    names.handle_resolved(1, [], Now(now_s, 0))
    assert names.next_timeout() == now_s + 1, "the count begins anew"
