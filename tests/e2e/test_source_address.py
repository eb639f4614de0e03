"""Two addresses on one side, a firewall that lets in only answers on the other."""

from functools import cache, partial
from pathlib import Path

import pytest

from chatnet_client.client import Client
from realworld.engines import START_S, RealEngine, is_up
from realworld.namespaces import Cable, cable, why_not

FAMILIES = {
    "ipv4": ("10.9.0.{}", "/24"),
    "ipv6": ("fd09::{}", "/64"),
}
FIRST, SECOND, PEER, ROAMED = 1, 11, 2, 3
PORTS = {"a": 7001, "b": 7002}


@cache
def obstacle() -> str:
    return why_not()


def has_arrived(client: Client, text: str) -> bool:
    return any(row.text == text and not row.mine for row in client.view.peers[0].messages)


def talk(a: Client, b: Client, text: str) -> None:
    """A text each way; both arrive."""
    for client in (a, b):
        client.send_message(1, text)
    for client in (a, b):
        assert client.wait_until(partial(has_arrived, client, text), START_S), text


def shows(client: Client, address: str) -> bool:
    """Whether the link's address becomes that one; it may follow the text that came from there."""
    return client.wait_until(lambda: address in client.view.peers[0].link.address, START_S)


@pytest.mark.parametrize("family", FAMILIES)
def test_links_through_a_firewall_that_lets_in_answers_only(tmp_path: Path, family: str) -> None:
    if obstacle():
        pytest.skip(obstacle())
    form, prefix = FAMILIES[family]

    def at(number: int) -> str:
        return form.format(number)

    addresses = {"a": [at(FIRST) + prefix, at(SECOND) + prefix], "b": [at(PEER) + prefix]}
    with cable(addresses) as line:
        line.let_in_answers_only("b")
        a, b = (RealEngine(tmp_path, side) for side in "ab")
        for engine in (a, b):
            engine.within = line.within(engine.name)
            engine.port = PORTS[engine.name]
        try:
            a.start(at(PEER), str(b.port))
            b.start(at(SECOND), str(a.port))
            with a.attach() as at_a, b.attach() as at_b:
                for client in (at_a, at_b):
                    assert client.wait_until(partial(is_up, client), START_S), family
                talk(at_a, at_b, "from the start")
                assert shows(at_b, at(SECOND))
                roam(line, at(PEER) + prefix, at(ROAMED) + prefix)
                talk(at_a, at_b, "after a roam")
                assert shows(at_a, at(ROAMED))
                line.let_in_everything("b")
                line.remove("a", at(SECOND) + prefix)
                talk(at_a, at_b, "after an address went away")
                assert shows(at_b, at(FIRST))
        finally:
            a.stop()
            b.stop()


def roam(line: Cable, old: str, new: str) -> None:
    line.remove("b", old)  # first: the kernel removes later addresses of a network with the first
    line.add("b", new)
