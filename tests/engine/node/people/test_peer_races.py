"""What people do to the peers in one turn, from one front end or two: nothing of it ends the
engine, every refusal is one sentence, and what is shown is what the store holds."""

import itertools

import msgspec
import pytest

from chatnet_engine.node.people import people
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState, PeerRow, Trust
from simworld.client import SimClient
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.network import Network
from simworld.pair import A, B, Pair
from simworld.takeover import become_another

C = ("10.0.0.3", 5003)
OUTSIDE = ("10.0.0.9", 40000)


def rows(engine: SimEngine) -> dict[int, PeerRow]:
    return {row.peer: row for row in engine.ledger.load().peers}


def check_view(engine: SimEngine, client: SimClient) -> None:
    assert client.view
    assert client.view.durable() == engine.ledger.load_view(engine.session())
    known = {row.peer: row for row in engine.node.peers}
    assert known == rows(engine)


def failure(client: SimClient, request: int) -> tuple[str, str]:
    error = client.replies[request].failure
    return (error.code, error.text) if error else ("", "")


@pytest.fixture
def pair() -> Pair:
    pair = Pair(1)
    pair.run(2)
    return pair


def three() -> tuple[Clock, Network, SimEngine, SimClient]:
    """A knows B as peer 1 and C as peer 2; both are linked."""
    clock = Clock(3)
    network = Network(clock)
    engines = [SimEngine(clock, network, n, at) for n, at in zip("abc", (A, B, C), strict=True)]
    for engine in engines:
        engine.up()
    a, b, third = engines
    a.dial(B)
    a.dial(C)
    for engine in (b, third):
        engine.dial(A)
    client = a.attach()
    clock.run(clock.now_s + 3)
    return clock, network, a, client


def test_the_key_of_another_peer_cannot_be_trusted() -> None:
    clock, network, a, client = three()
    network.intercept(A, B, C)
    a.crash()
    a.up()
    clock.run(clock.now_s + 40)
    bob = rows(a)[2]
    assert rows(a)[1].offered_key == bob.key, "C answers where B was"
    request = client.ask(cmd.TrustPeer(1, "replace", bob.key))
    clock.run(clock.now_s + 1)
    code, sentence = failure(client, request)
    assert code == ErrorCode.NOT_ALLOWED
    assert sentence.startswith(f"That key is {bob.name}'s")
    assert rows(a)[1].key != bob.key
    check_view(a, client)


def test_a_removed_peer_cannot_be_changed_in_the_same_turn(pair: Pair) -> None:
    other = pair.a.attach("other")
    pair.run(0.1)
    key = pair.peer(pair.at_a).info.key
    pair.at_a.ask(cmd.RemovePeer(1))
    late: list[cmd.Command] = [
        cmd.SetPeer(1, name="Bob"), cmd.TrustPeer(1, "verified"), cmd.TrustPeer(1, "replace", key),
        cmd.RemovePeer(1), cmd.MarkRead(1, 1), cmd.SetDraft(1, "x", 0), cmd.SetTyping(1, True),
        cmd.RetryPeer(1), cmd.MakeInvite(1), cmd.AskRestore(1, True), cmd.AnswerRestore(1, True),
        cmd.SendMessage(bytes(16), 1, "x"), cmd.OfferFiles(bytes(16), 1, ["/x"]),
    ]  # fmt: skip
    requests = [other.ask(command) for command in late]
    pair.run(1)
    assert {failure(other, request)[0] for request in requests} == {ErrorCode.UNKNOWN_PEER}
    assert rows(pair.a) == {}
    check_view(pair.a, pair.at_a)


def test_a_peer_that_roams_while_it_is_removed_is_not_stored_again(pair: Pair) -> None:
    pair.a.commit_s = (0.5, 0.5)
    pair.at_a.ask(cmd.SetPeer(1, name="Bob"))
    pair.run(0.1)
    pair.at_a.ask(cmd.RemovePeer(1))
    for number in range(6):
        pair.network.rebind(B, ("10.9.9.9", 40000 + number))
        pair.at_b.say(f"from port {number}")
        pair.run(0.3)
    pair.run(2)
    check_view(pair.a, pair.at_a)


def test_a_peer_whose_removal_fails_is_there_again_and_linked(pair: Pair) -> None:
    pair.a.store_fails = "The disk is full."
    removal = pair.at_a.ask(cmd.RemovePeer(1))
    pair.run(1)
    assert failure(pair.at_a, removal)[0] == ErrorCode.STORE
    pair.a.store_fails = ""
    pair.at_a.say("still here")
    pair.settle(60)
    check_view(pair.a, pair.at_a)
    assert pair.a.known_peers.count(b"\n") == 1


def test_two_changes_of_a_peer_in_one_turn_are_both_kept(pair: Pair) -> None:
    other = pair.a.attach("other")
    pair.run(0.1)
    pair.at_a.ask(cmd.SetPeer(1, name="Bob"))
    other.ask(cmd.SetPeer(1, auto_accept_bytes=5))
    other.ask(cmd.TrustPeer(1, "verified"))
    pair.run(1)
    row = rows(pair.a)[1]
    assert (row.name, row.auto_accept_bytes, row.trust) == ("Bob", 5, Trust.VERIFIED)
    check_view(pair.a, pair.at_a)


def test_a_change_that_cannot_be_stored_is_taken_back(pair: Pair) -> None:
    pair.a.store_fails = "The disk is full."
    before = rows(pair.a)[1]
    pair.at_a.ask(cmd.SetPeer(1, name="Bob"))
    pair.at_a.ask(cmd.TrustPeer(1, "verified"))
    pair.run(1)
    pair.a.store_fails = ""
    pair.at_b.say("hello")
    pair.settle(60)
    after = rows(pair.a)[1]
    assert (after.name, after.trust) == (before.name, Trust.PINNED)
    assert b" no\n" in pair.a.known_peers
    check_view(pair.a, pair.at_a)


def test_what_a_link_sent_goes_with_the_pin_that_cannot_be_stored(pair: Pair) -> None:
    pair.network.silence(B)
    pair.at_b.say("one")
    pair.run(1)
    assert pair.texts(pair.a, mine=False) == ["one"], "and B does not know"
    pair.at_a.ask(cmd.RemovePeer(1))
    pair.run(1)
    pair.at_a.ask(cmd.AddPeer(*B))
    pair.run(1)
    assert [row.key for row in rows(pair.a).values()] == [b""]
    pair.a.store_fails = "The disk is full."
    pair.b.crash()
    pair.b.up()
    pair.run(20)
    assert pair.a.node.peers.need(2).key, "pinned, and what the link sent waits with it"
    renaming = pair.at_a.ask(cmd.SetPeer(2, name="Bob"))
    pair.run(6)
    assert failure(pair.at_a, renaming)[0] == ErrorCode.STORE
    pair.a.store_fails = ""
    pair.run(60)
    assert rows(pair.a)[2].key == pair.b.session().key
    pair.b.attach().say("two")
    pair.run(60)
    view = pair.a.ledger.load_view(pair.a.session()).peer(2)
    assert view
    came = [(row.ack, row.body) for row in view.messages if not row.mine]
    assert came == [(2, b"two")], "what came from the removed peer is recognised"
    check_view(pair.a, pair.at_a)


def test_one_address_typed_twice_in_one_turn_is_one_peer(pair: Pair) -> None:
    other = pair.a.attach("other")
    pair.run(0.1)
    pair.at_a.ask(cmd.AddPeer("10.0.0.7", 7, "first"))
    second = other.ask(cmd.AddPeer("10.0.0.7", 7, "second"))
    pair.run(1)
    assert failure(other, second)[0] == ErrorCode.BUSY
    typed = [row for row in rows(pair.a).values() if row.host == "10.0.0.7"]
    assert [row.name for row in typed] == ["first"]
    check_view(pair.a, pair.at_a)


def test_a_peer_removed_and_added_in_one_turn_is_a_new_one(pair: Pair) -> None:
    pair.at_a.ask(cmd.RemovePeer(1))
    pair.at_a.ask(cmd.AddPeer(*B))
    pair.run(20)
    assert list(rows(pair.a)) == [2]
    assert pair.at_a.view
    assert pair.at_a.view.peers[0].link.state == LinkState.UP
    check_view(pair.a, pair.at_a)


def test_an_offer_that_is_committed_for_a_removed_peer_ends_and_is_shown() -> None:
    """Whenever the removal comes: while the files are listed, queued or committed."""
    for delay_ms in range(0, 700, 50):
        pair = Pair(1, commit_s=(0.3, 0.3), with_files=True)
        pair.run(3)
        assert pair.a.files
        pair.a.files.sources["a"] = b"content"
        offer_id = bytes(range(16))
        pair.at_a.ask(cmd.OfferFiles(offer_id, 1, ["/home/a"]))
        pair.run(delay_ms / 1000)
        pair.at_a.ask(cmd.RemovePeer(1))
        pair.run(5)
        check_view(pair.a, pair.at_a)
        assert pair.at_a.view
        states = {row.id: row.state for row in pair.at_a.view.transfers}
        assert states.get(offer_id, "cancelled") == "cancelled", delay_ms


def test_more_peers_than_there_may_be_are_refused_however_fast_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(people, "MAX_PEERS", 40)
    pair = Pair(2)
    asked = [pair.at_a.ask(cmd.AddPeer("10.1.0.1", port)) for port in range(1, 91)]
    pair.run(3)
    assert len(rows(pair.a)) == 40
    refused = [request for request in asked if failure(pair.at_a, request)[0] == ErrorCode.BUSY]
    assert len(refused) == 51
    check_view(pair.a, pair.at_a)


def test_a_new_key_replaces_the_old_one_only_if_nobody_is_about_to_get_it(pair: Pair) -> None:
    become_another(pair.b)
    pair.at_b.say("it is me")
    pair.run(70)
    row = rows(pair.a)[1]
    assert row.offered_key
    pair.at_a.ask(cmd.TrustPeer(1, "replace", row.offered_key))
    pair.at_a.ask(cmd.TrustPeer(1, "replace", row.offered_key))
    pair.at_a.ask(cmd.RemovePeer(1))
    pair.run(2)
    check_view(pair.a, pair.at_a)


def test_every_pair_of_acts_on_a_peer_in_one_turn_leaves_what_the_store_holds() -> None:
    acts: list[cmd.Command] = [
        cmd.RemovePeer(1), cmd.SetPeer(1, name="x"), cmd.TrustPeer(1, "verified"),
        cmd.TrustPeer(1, "accept"), cmd.AddPeer(*B, "typed"), cmd.MakeInvite(1), cmd.MakeInvite(),
        cmd.AddPeer("10.0.0.9", 9, "new", invite="AAAA-AAAA-AAAA-AAAA"), cmd.MarkRead(1, 1),
        cmd.SetDraft(1, "draft", 0), cmd.AskRestore(1, True),
    ]  # fmt: skip
    for first, second in itertools.product(acts, repeat=2):
        pair = Pair(4, both_dial=False)
        pair.run(0.6)
        for command in (first, second, first):
            pair.at_a.ask(command)
        pair.at_b.say("meanwhile")
        pair.run(0.6)
        check_view(pair.a, pair.at_a)


def test_a_key_pinned_while_its_stranger_is_stored_outlasts_an_older_row() -> None:
    clock = Clock(5)
    network = Network(clock)
    a, b = (SimEngine(clock, network, name, at) for name, at in (("a", A), ("b", B)))
    a.up()
    b.up()
    client, at_b = a.attach(), b.attach()
    network.rebind(B, OUTSIDE)
    a.dial(B)
    clock.run(clock.now_s + 1)
    a.commit_s = (1.0, 1.0)
    renaming = client.ask(cmd.SetPeer(1, name="Bob"))
    b.dial(A)
    clock.run(clock.now_s + 0.3)
    assert a.node.peers.strangers, "it called from where nobody is typed"
    network.forget_rebindings()
    client.ask(cmd.RetryPeer(1))
    clock.run(clock.now_s + 0.3)
    assert a.node.peers.need(1).key, "pinned, while the older row is in flight"
    assert renaming not in client.replies
    clock.run(clock.now_s + 8)
    ((number, row),) = rows(a).items()
    assert (number, row.name, row.trust) == (1, "Bob", Trust.PINNED)
    assert row.key == b.session().key
    at_b.say("hello")
    assert clock.run(clock.now_s + 70, lambda: any(text == "hello" for _, _, text in client.texts))
    check_view(a, client)


def test_the_ledger_leaves_a_peer_alone_that_is_not_listed() -> None:
    pair = Pair(6)
    pair.run(1)
    row = rows(pair.a)[1]
    ledger = pair.a.ledger
    ledger.apply(c.Commit(1, [c.ForgetPeer(1)]))
    forgotten = rows(pair.a)
    late: list[c.Op] = [
        c.StorePeer(row), c.StoreMarks(1, my_read=1), c.ForgetPeer(1), c.ForgetPeer(1, 1),
        c.StoreDraft(1, "x", 0), c.FailMessage(1, 0, "no", bytes(16)),
    ]  # fmt: skip
    answer = ledger.apply(c.Commit(2, late))
    assert isinstance(answer, c.Committed)
    stored = answer.results[0]
    assert isinstance(stored, c.PeerStored)
    assert stored == c.PeerStored(row, stored.state, 1)
    assert rows(pair.a) == forgotten == {}


def test_the_ledger_refuses_a_key_that_a_listed_peer_has() -> None:
    pair = Pair(7)
    pair.run(1)
    key = rows(pair.a)[1].key
    other = PeerRow(0, "other", "10.0.0.8", 8)
    ledger = pair.a.ledger
    ledger.apply(c.Commit(1, [c.StorePeer(other)]))
    taken = msgspec.structs.replace(other, peer=2, key=key, trust=Trust.PINNED)
    stranger = PeerRow(0, "stranger", "", 0, key, Trust.PENDING)
    answer = ledger.apply(c.Commit(2, [c.StorePeer(taken), c.StorePeer(stranger)]))
    assert isinstance(answer, c.Committed)
    assert [result.refused for result in answer.results] == [1, 1]  # type: ignore[union-attr]
    assert rows(pair.a)[2].key == b""
    assert len(rows(pair.a)) == 2
