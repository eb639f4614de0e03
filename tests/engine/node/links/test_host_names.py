"""When a name is looked up, and looked up again."""

from chatnet_engine.clock import Now
from chatnet_engine.node.links.host_names import HostNames
from chatnet_protocol.ipc.rows import PeerRow


def test_a_name_that_is_not_found_is_asked_for_again_after_1_2_4_up_to_60_s() -> None:
    names = HostNames()
    now_s = 100.0
    names.want(PeerRow(1, "Bob", "bob.example", 5000), Now(now_s, 0))
    pauses = []
    for _ in range(9):
        names.handle_due(1, Now(now_s, 0))
        assert len(names.take_resolves()) == 1
        names.handle_resolved(1, [], Now(now_s, 0))
        pauses.append((names.due_of(1) or 0.0) - now_s)
        now_s += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    names.handle_resolved(1, [("192.0.2.1", 5000)], Now(now_s, 0))
    assert names.due_of(1) == now_s + 60
    names.handle_resolved(1, [], Now(now_s, 0))
    assert names.due_of(1) == now_s + 1, "the count begins anew"


def names_after_failures(count: int) -> HostNames:
    """A name that was looked up at 100, 200 … s without success."""
    names = HostNames()
    names.want(PeerRow(1, "Bob", "bob.example", 5000), Now(100.0, 0))
    for number in range(1, count + 1):
        names.handle_due(1, Now(100.0 * number, 0))
        names.handle_resolved(1, [], Now(100.0 * number, 0))
    assert len(names.take_resolves()) == count
    return names


def test_a_failed_lookup_is_done_again_at_once_when_asked_for_and_once_a_second() -> None:
    names = names_after_failures(9)
    asked = []
    for tenth in range(9000, 9060):
        now = Now(tenth / 10, 0)
        names.look_again(1, now)
        names.handle_due(1, now)
        if names.take_resolves():
            asked.append(tenth / 10)
            names.handle_resolved(1, [], now)
    assert asked == [901, 902, 903, 904, 905]
    names.look_again(9, Now(906.0, 0))


def test_after_a_change_of_network_the_pauses_begin_anew() -> None:
    names = names_after_failures(9)
    assert names.due_of(1) == 960
    names.look_again(1, Now(910.0, 0), afresh=True)
    assert names.due_of(1) == 910
    names.handle_due(1, Now(910.0, 0))
    names.handle_resolved(1, [], Now(910.0, 0))
    assert names.due_of(1) == 911


def test_a_numeric_address_is_looked_up_once_and_again_when_asked_for() -> None:
    names = HostNames()
    names.want(PeerRow(1, "Bob", "192.0.2.1", 5000), Now(100.0, 0))
    names.handle_due(1, Now(100.0, 0))
    names.handle_resolved(1, [("192.0.2.1", 5000)], Now(100.0, 0))
    assert names.due_of(1) is None
    names.look_again(1, Now(200.0, 0))
    assert names.due_of(1) == 200


def test_peers_are_found_by_the_addresses_of_their_names() -> None:
    names, now = HostNames(), Now(100.0, 0)
    one, two, other = ("192.0.2.1", 5), ("192.0.2.2", 5), ("192.0.2.3", 5)
    for peer in (1, 2):
        names.want(PeerRow(peer, "Bob", "bob.example", 5), now)
        names.handle_resolved(peer, [one, two, one], now)
    names.handle_resolved(2, [], now)
    assert names.peers_at({one}) == names.peers_at({one, two}) == [1, 2]
    names.handle_resolved(2, [other], now)
    assert (names.peers_at({one, two}), names.peers_at({other})) == ([1], [2])
    names.forget(1)
    names.forget(1)
    assert names.peers_at({one, two}) == []
