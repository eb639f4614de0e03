"""First contacts by invite: pinned and verified at once, and nobody else is let in meanwhile."""

import pytest

from chatnet_engine.node.people import invites
from chatnet_engine.node.people.invites import MAX_INVITES
from chatnet_engine.node.people.inviting import GUEST
from chatnet_protocol import codec
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkState, PeerRow, Trust
from simworld.client import SimClient
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.network import Line, Network
from simworld.pair import A, B

M = ("10.0.0.66", 6666)


class Party:
    """Engines that know nobody yet, each with a front end."""

    def __init__(self, seed: int, line: Line | None = None) -> None:
        self.clock = Clock(seed)
        self.network = Network(self.clock, line)
        self.a, self.at_a = self.engine("a", A)
        self.b, self.at_b = self.engine("b", B)

    def engine(self, name: str, addr: tuple[str, int]) -> tuple[SimEngine, SimClient]:
        engine = SimEngine(self.clock, self.network, name, addr)
        engine.up()
        client = engine.attach()
        self.run(0.2)
        return engine, client

    def run(self, seconds: float) -> None:
        self.clock.run(self.clock.now_s + seconds)

    def ask(self, client: SimClient, command: cmd.Command) -> cmd.Result | str:
        """The result of a command, or its error's code."""
        number = client.ask(command)
        self.run(0.5)
        self.clock.run(self.clock.now_s + 10, lambda: number in client.replies)
        reply = client.replies[number]
        if reply.failure:
            return reply.failure.code
        assert reply.result
        return reply.result

    def invite(self, client: SimClient, peer: int = 0) -> str:
        result = self.ask(client, cmd.MakeInvite(peer))
        assert isinstance(result, cmd.Invited)
        lifetime_s = (result.until_ms - self.clock.wall_ms) / 1000
        assert lifetime_s == pytest.approx(invites.LIFETIME_S, abs=20)
        return result.code

    def join(self, code: str, name: str = "") -> cmd.Result | str:
        """Enter the code of `a` at `b`."""
        return self.ask(self.at_b, cmd.AddPeer(A[0], A[1], name, code))

    def rows(self, client: SimClient) -> list[PeerRow]:
        assert client.view
        return [peer.info for peer in client.view.peers]

    def linked(self, client: SimClient) -> bool:
        assert client.view
        return any(peer.link.state == LinkState.UP for peer in client.view.peers)


@pytest.mark.parametrize("seed", range(8))
def test_an_invite_verifies_both_at_first_contact(seed: int) -> None:
    party = Party(seed, Line(loss=0.3, duplicate=0.1, jitter_s=0.02) if seed else None)
    code = party.invite(party.at_a)
    party.join(code.upper(), "alice")
    party.at_b.say("I was invited")
    assert party.clock.run(party.clock.now_s + 60, lambda: party.linked(party.at_a))
    party.run(20)
    (alice,), (bob,) = party.rows(party.at_b), party.rows(party.at_a)
    assert (alice.trust, bob.trust) == (Trust.VERIFIED, Trust.VERIFIED)
    assert alice.safety_number == bob.safety_number
    assert bob.name == "10.0.0.2:5002"
    assert [text for _, mine, text in party.at_a.texts if not mine] == ["I was invited"]
    assert party.a.known_peers.endswith(b" yes\n")
    assert party.a.node.invites.psks() == {}, "good once"


def test_an_invite_is_not_used_up_by_a_handshake_that_is_not_taken() -> None:
    """The RESP to an address that is new here cannot know that the last link of this key ended."""
    party = Party(1)
    party.a.dial(B)
    party.b.dial(A)
    party.run(3)
    assert party.linked(party.at_a)
    for client in (party.at_a, party.at_b):
        party.ask(client, cmd.RemovePeer(1))
    party.b.crash()
    party.b.addr = ("10.0.0.77", 5077)
    party.b.up()
    code = party.invite(party.at_a)
    party.join(code)
    party.run(30)
    assert party.linked(party.at_a)
    (alice,), (bob,) = party.rows(party.at_b), party.rows(party.at_a)
    assert (alice.trust, bob.trust) == (Trust.VERIFIED, Trust.VERIFIED)
    assert party.a.node.invites.psks() == {}, "good once"


@pytest.mark.parametrize("seed", range(4))
def test_both_may_have_typed_each_other(seed: int) -> None:
    party = Party(seed)
    party.b.addr = B
    party.ask(party.at_a, cmd.AddPeer("10.0.0.2", 5009))
    code = party.invite(party.at_a, 1)
    party.join(code)
    party.run(15)
    assert [row.trust for row in party.rows(party.at_b)] == [Trust.VERIFIED]
    assert [row.trust for row in party.rows(party.at_a)] == [Trust.VERIFIED]


def test_who_does_not_know_the_invite_is_neither_pinned_nor_listed() -> None:
    party = Party(3)
    party.b.crash()
    party.ask(party.at_a, cmd.AddPeer(B[0], B[1]))
    party.invite(party.at_a, 1)
    party.b.up()
    party.b.dial(A)
    party.run(1)
    party.at_b.say("let me in")
    party.run(90)
    (row,) = party.rows(party.at_a)
    assert (row.trust, row.key) == (Trust.INVITED, b"")
    assert party.at_a.view
    assert party.at_a.view.peers[0].link.reason == reason(LinkReason.UNINVITED)
    assert party.at_a.texts == []
    assert party.ask(party.at_a, cmd.TrustPeer(1, "accept")) == cmd.Done()
    party.run(70)
    assert [text for _, mine, text in party.at_a.texts if not mine] == ["let me in"]
    assert party.rows(party.at_a)[0].trust == Trust.PINNED


def test_a_wrong_code_reaches_nobody() -> None:
    party = Party(4)
    code = party.invite(party.at_a)
    wrong = ("b" if code[0] == "a" else "a") + code[1:]
    party.join(wrong)
    party.at_b.say("hello?")
    party.run(120)
    assert not party.linked(party.at_a)
    assert not party.linked(party.at_b)
    assert party.rows(party.at_b)[0].key == b""
    assert party.rows(party.at_a)[0].key == b""
    assert party.join(code) == cmd.PeerAdded(1)
    party.run(30)
    assert party.linked(party.at_b)


def test_a_man_in_the_middle_of_an_invited_first_contact_gets_nothing() -> None:
    party = Party(5)
    mallory, at_m = party.engine("m", M)
    code = party.invite(party.at_a)
    for victim, peer in ((A, B), (B, A)):
        party.network.intercept(victim, peer, M)
        mallory.dial(victim)
    party.join(code)
    party.at_b.say("for alice only")
    party.run(300)
    assert not party.linked(party.at_a)
    assert not party.linked(party.at_b)
    assert party.rows(party.at_b)[0].key == b""
    assert [row for row in party.rows(party.at_a) if row.trust == Trust.VERIFIED] == []
    assert at_m.texts == []
    assert party.at_b.view
    assert party.at_b.view.peers[0].waiting == 1


def test_an_invite_ends_in_time_and_its_guest_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invites, "LIFETIME_S", 3600.0)
    party = Party(6)
    code = party.invite(party.at_a)
    assert [row.name for row in party.rows(party.at_a)] == [GUEST]
    party.run(3500)
    assert [row.name for row in party.rows(party.at_a)] == [GUEST]
    party.run(100)
    assert party.rows(party.at_a) == []
    party.join(code)
    party.run(30)
    assert not party.linked(party.at_b)


def test_who_is_dialled_with_an_invite_is_dialled_no_more_when_that_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(invites, "LIFETIME_S", 3600.0)
    party = Party(6)
    party.ask(party.at_a, cmd.AddPeer("10.0.0.9", 9))
    party.invite(party.at_a, 1)
    party.run(3500)
    assert party.at_a.view
    assert party.at_a.view.peers[0].link.state == LinkState.DIALLING
    party.run(100)
    link = party.at_a.view.peers[0].link
    assert link.state == LinkState.IDLE
    assert link.since_ms == pytest.approx(party.clock.wall_ms, abs=100_000)
    (row,) = party.rows(party.at_a)
    assert (row.trust, row.host) == (Trust.INVITED, "10.0.0.9")
    sent = len(party.a.sent)
    party.run(600)
    assert len(party.a.sent) == sent


def test_an_invite_ends_with_the_engine_and_is_not_replaced_by_trust() -> None:
    party = Party(7)
    party.b.crash()
    party.ask(party.at_a, cmd.AddPeer(B[0], B[1]))
    party.invite(party.at_a, 1)
    party.invite(party.at_a)
    party.a.crash()
    party.a.up()
    party.b.up()
    party.b.dial(A)
    party.run(30)
    (row,) = party.rows(party.at_a)
    assert (row.trust, row.key) == (Trust.INVITED, b"")
    code = party.invite(party.at_a, 1)
    assert party.ask(party.at_b, cmd.RemovePeer(1)) == cmd.Done()
    assert party.join(code) == cmd.PeerAdded(2)
    party.run(30)
    assert party.linked(party.at_a)


def test_invites_are_few_and_only_for_first_contacts() -> None:
    party = Party(8)
    for _ in range(MAX_INVITES):
        party.invite(party.at_a)
    assert party.ask(party.at_a, cmd.MakeInvite()) == "busy"
    assert party.ask(party.at_a, cmd.RemovePeer(2)) == cmd.Done()
    code = party.invite(party.at_a)
    assert party.join("abcd") == "invalid"
    party.join(code)
    party.run(10)
    assert party.linked(party.at_b)
    assert party.ask(party.at_b, cmd.MakeInvite(1)) == "not-allowed"
    assert party.join(code) == "not-allowed"
    assert party.ask(party.at_b, cmd.MakeInvite(77)) == "unknown-peer"


def test_an_invite_for_a_peer_that_is_removed_meanwhile_is_refused() -> None:
    party = Party(12)
    party.ask(party.at_a, cmd.AddPeer("10.0.0.9", 9))
    made = party.at_a.ask(cmd.MakeInvite(1))
    removed = party.at_a.ask(cmd.RemovePeer(1))
    party.run(2)
    failure = party.at_a.replies[made].failure
    assert failure
    assert failure.code == "unknown-peer"
    assert party.at_a.replies[removed].failure is None
    assert party.rows(party.at_a) == []
    assert isinstance(party.ask(party.at_a, cmd.MakeInvite()), cmd.Invited)


def test_a_store_that_fails_makes_no_invite() -> None:
    party = Party(9)
    party.a.store_fails = "The disk is full."
    for _ in range(MAX_INVITES + 1):
        assert party.ask(party.at_a, cmd.MakeInvite()) == "store"
    party.a.store_fails = ""
    party.run(10)
    party.invite(party.at_a)


def test_an_invite_and_a_removal_that_fail_leave_the_peer_as_it_was() -> None:
    party = Party(9)
    party.ask(party.at_a, cmd.AddPeer("10.0.0.9", 9))
    party.a.store_fails = "The disk is full."
    asked = [party.at_a.ask(cmd.MakeInvite(1)), party.at_a.ask(cmd.RemovePeer(1))]
    party.run(2)
    for number in asked:
        failure = party.at_a.replies[number].failure
        assert failure
        assert failure.code == "store"
    assert party.a.node.peers.need(1).trust == Trust.NONE
    party.a.store_fails = ""
    party.run(10)
    assert party.rows(party.at_a) == [party.a.node.peers.need(1)]


def test_a_code_is_told_to_its_asker_and_to_nobody_else() -> None:
    party = Party(10)
    second = party.a.attach("second")
    party.run(0.5)
    code = party.invite(party.at_a)
    party.run(1)
    told = b"".join(codec.pack(event) for event in second.events)
    assert code.encode() not in told
    assert code.replace("-", "").encode() not in told
    assert all("invite" not in str(reply.result) for reply in second.replies.values())


def test_a_guest_that_is_removed_while_its_code_is_made_has_no_invite() -> None:
    party = Party(12)
    request = party.at_a.ask(cmd.MakeInvite())
    assert party.clock.run(party.clock.now_s + 1, lambda: bool(party.rows(party.at_a)))
    party.at_a.ask(cmd.RemovePeer(1))
    party.run(1)
    assert party.rows(party.at_a) == []
    assert party.a.node.invites.psks() == {}
    failure = party.at_a.replies[request].failure
    assert failure
    assert failure.code == "not-allowed"
    assert party.invite(party.at_a)


def test_a_peer_at_ones_own_address_is_shown_as_that() -> None:
    party = Party(13)
    assert party.ask(party.at_a, cmd.AddPeer(A[0], A[1], "me")) == cmd.PeerAdded(1)
    party.run(20)
    assert party.at_a.view
    (peer,) = party.at_a.view.peers
    assert peer.info.key == b""
    assert peer.link.reason == reason(LinkReason.OWN_ADDRESS)
    assert not party.linked(party.at_a)
