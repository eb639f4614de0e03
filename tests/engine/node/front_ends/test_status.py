"""What `chatnet status` is given of each link."""

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import LinkGauge
from simworld.pair import Pair


def link_facts(pair: Pair) -> dict[str, int | float | str | bool]:
    asked = pair.at_a.ask(cmd.FetchStatus())
    pair.run(0.1)
    status = pair.at_a.replies[asked].result
    assert isinstance(status, cmd.Status)
    (facts,) = status.links
    return facts


def test_a_link_that_is_up_has_its_row_and_its_gauge() -> None:
    pair = Pair(1)
    pair.run(2)
    row = pair.peer(pair.at_a).link
    facts = link_facts(pair)
    gauge = {name: facts.pop(name) for name in LinkGauge.__struct_fields__[2:]}
    assert facts == {
        "peer": 1,
        "name": "10.0.0.2:5002",
        "trust": "pinned",
        "state": "up",
        "since_ms": row.since_ms,
        "address": "10.0.0.2:5002",
        "reason": "",
        "incarnation": row.incarnation,
        "links": 1,
    }
    assert gauge["packets_lost"] == 0
    assert float(gauge["rtt_ms"]) > 0


def test_a_link_that_is_down_has_a_reason_and_no_gauge() -> None:
    pair = Pair(1)
    pair.run(2)
    pair.b.node.stop("asked", pair.b.now)
    pair.b.turn()
    pair.run(1)
    facts = link_facts(pair)
    assert (facts["state"], facts["reason"], facts["links"]) == ("dialling", "peer-stopped", 1)
    assert "rtt_ms" not in facts
