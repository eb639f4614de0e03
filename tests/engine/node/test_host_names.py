"""When a name is looked up, and looked up again."""

from chatnet_engine.node.config import Now
from chatnet_engine.node.host_names import HostNames
from chatnet_protocol.ipc.rows import PeerRow


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
