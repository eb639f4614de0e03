"""Which peers a turn serves."""

from chatnet_engine.node.due_peers import DuePeers


def test_a_touched_peer_is_to_be_served_until_it_was() -> None:
    due = DuePeers()
    assert due.touched == []
    for peer in (7, 2, 7):
        due.touch(peer)
    assert due.touched == [2, 7]
    due.served(2)
    due.served(9)
    assert due.touched == [7]


def test_a_due_peer_is_touched_and_waits_for_a_new_deadline() -> None:
    due = DuePeers()
    due.put(1, 5.0)
    due.put(2, 3.0)
    due.put(3, None)
    assert (due.next_timeout(), due.due_of(1), due.due_of(3)) == (3.0, 5.0, None)
    assert due.take_due(4.0) == [2]
    assert due.touched == [2]
    assert (due.next_timeout(), due.due_of(2)) == (5.0, None)
