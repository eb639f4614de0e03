"""What an engine answers to each command: one engine alone, asked by one front end."""

import pytest

from chatnet_engine.node.front_ends.front_ends import MAX_READS
from chatnet_engine.node.people import people
from chatnet_engine.node.transfers.file_transfers import MAX_PATHS
from chatnet_protocol import codec
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import Trust
from chatnet_protocol.ipc.view import View
from chatnet_protocol.limits import (
    CLIENT_SILENT_S,
    MAX_CLIENTS,
    MAX_DRAFT_BYTES,
    MAX_HISTORY_ROWS,
    MAX_PEERS,
    MAX_TEXT_BYTES,
)
from chatnet_protocol.version import IPC_VERSION
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.files import FilesNet
from simworld.network import Network
from simworld.pair import A, B

ID = b"i" * 16
UNKNOWN = b"u" * 16


class Alone:
    """An engine that knows one peer, which never answers, and a front end that asks."""

    def __init__(self) -> None:
        self.clock = Clock(1)
        self.engine = SimEngine(self.clock, Network(self.clock), "a", A, FilesNet(self.clock))
        self.engine.up()
        self.engine.dial(B)
        self.client = self.engine.attach()
        self.run()

    def run(self, seconds: float = 0.05) -> None:
        self.clock.run(self.clock.now_s + seconds)

    def ask(self, command: cmd.Command) -> envelope.Reply:
        request = self.client.ask(command)
        self.run()
        return self.client.replies[request]

    def done(self, command: cmd.Command) -> cmd.Result:
        """The answer to a command that is obeyed."""
        reply = self.ask(command)
        assert reply.failure is None, reply.failure
        assert reply.result is not None
        return reply.result

    def attach(self, cursor: cmd.Cursor | None, name: str = "") -> cmd.Attached:
        """The answer to the front end attaching (again)."""
        name = name or self.client.name
        self.client.ask(cmd.Attach(name, "full", IPC_VERSION, [], cursor))
        self.run()
        results = [reply.result for reply in self.client.replies.values()]
        return [result for result in results if isinstance(result, cmd.Attached)][-1]

    def refused(self, command: cmd.Command) -> str:
        """Why a command is not obeyed, `code: sentence`; nothing is stored then."""
        commits = self.engine.commits
        reply = self.ask(command)
        assert reply.failure, reply.result
        assert self.engine.commits == commits
        return f"{reply.failure.code}: {reply.failure.text}"


@pytest.fixture
def alone() -> Alone:
    return Alone()


REFUSED: list[tuple[cmd.Command, str]] = [
    (cmd.Attach("x", "full", IPC_VERSION + 1), "upgrade the engine"),
    (cmd.Attach("x", "full", IPC_VERSION - 1), "upgrade the front end"),
    (cmd.Attach("x", "boss", IPC_VERSION), "invalid: A role is"),
    (cmd.SendMessage(b"short", 1, "x"), "invalid: An id has 16 bytes."),
    (cmd.SendMessage(ID, 9, "x"), "unknown-peer"),
    (cmd.SendMessage(ID, 1, ""), "at least one character"),
    (cmd.SendMessage(ID, 1, "x" * (MAX_TEXT_BYTES + 1)), "too-large"),
    (cmd.WithdrawMessage(b"short", 1), "An id has 16 bytes."),
    (cmd.WithdrawMessage(ID, 9), "unknown-peer"),
    (cmd.DeleteMessage(b"short", 1), "An id has 16 bytes."),
    (cmd.DeleteMessage(ID, 9), "unknown-peer"),
    (cmd.OfferFiles(b"short", 1, ["/f"]), "An id has 16 bytes."),
    (cmd.OfferFiles(ID, 9, ["/f"]), "unknown-peer"),
    (cmd.OfferFiles(ID, 1, []), "between 1 and 1,000"),
    (cmd.OfferFiles(ID, 1, ["/f"] * (MAX_PATHS + 1)), "between 1 and 1,000"),
    (cmd.OfferFiles(ID, 1, ["/f", "f"]), "absolute path"),
    (cmd.OfferFiles(ID, 1, ["/f\0"]), "absolute path"),
    (cmd.SetDraft(9, "x", 0), "unknown-peer"),
    (cmd.SetDraft(1, "x" * (MAX_DRAFT_BYTES + 1), 0), "too-large"),
    (cmd.AddPeer(" ", 1), "is no host name"),
    (cmd.AddPeer("h" * 254, 1), "at most 253 characters"),
    (cmd.AddPeer("10.0.0.300", 1), "is no IPv4 address"),
    (cmd.AddPeer("a b", 1), "is no host name"),
    (cmd.AddPeer("a\x07", 1), "is no host name"),
    (cmd.AddPeer("host", 0), "from 1 to 65535"),
    (cmd.AddPeer("host", 65536), "from 1 to 65535"),
    (cmd.AddPeer("host", 1, "\x1b"), "1 to 64 printable bytes"),
    (cmd.AddPeer("host", 1, invite="no code"), "invalid: That is no invite"),
    (cmd.RemovePeer(9), "unknown-peer"),
    (cmd.SetPeer(9, "x"), "unknown-peer"),
    (cmd.SetPeer(1, ""), "1 to 64 printable bytes"),
    (cmd.SetPeer(1, "ü" * 33), "1 to 64 printable bytes"),
    (cmd.SetPeer(1, host="10.0.0.9"), "An address is a host and a port."),
    (cmd.SetPeer(1, host="10.0.0.9", port=0), "A port is a number from 1 to 65535."),
    (cmd.SetPeer(1, host="10.0.0.300", port=9), "invalid"),
    (cmd.TrustPeer(9, "verified"), "unknown-peer"),
    (cmd.TrustPeer(1, "verified"), "has no key to which that applies"),
    (cmd.TrustPeer(1, "accept"), "has no key to which that applies"),
    (cmd.TrustPeer(1, "replace", b"k" * 32), "has no key to which that applies"),
    (cmd.TrustPeer(1, "maybe"), "invalid: A decision is"),
    (cmd.RetryPeer(9), "unknown-peer"),
    (cmd.MakeInvite(9), "unknown-peer"),
    (cmd.AcceptTransfer(UNKNOWN, "relative"), "absolute path"),
    (cmd.RejectTransfer(UNKNOWN), "unknown-transfer"),
    (cmd.PauseTransfer(UNKNOWN), "unknown-transfer"),
    (cmd.ResumeTransfer(UNKNOWN), "unknown-transfer"),
    (cmd.CancelTransfer(UNKNOWN), "unknown-transfer"),
]


@pytest.mark.parametrize(("command", "why"), REFUSED)
def test_what_is_wrong_with_a_command_is_said_in_one_sentence(
    alone: Alone, command: cmd.Command, why: str
) -> None:
    assert why in alone.refused(command)


def test_a_message_of_the_greatest_length_is_queued(alone: Alone) -> None:
    assert alone.done(cmd.SendMessage(ID, 1, "x" * MAX_TEXT_BYTES)) == cmd.Queued(1, 1)


def test_a_transfer_that_nobody_offered_cannot_be_accepted(alone: Alone) -> None:
    failure = alone.ask(cmd.AcceptTransfer(UNKNOWN)).failure
    assert failure
    assert failure.code == "unknown-transfer"


def test_who_is_not_attached_is_told_to_attach(alone: Alone) -> None:
    alone.done(cmd.Detach())
    assert "unknown-client" in alone.refused(cmd.KeepAlive(0))
    assert isinstance(alone.done(cmd.FetchStatus()), cmd.Status)


def test_who_is_not_attached_gets_the_view_and_can_stop_the_engine(alone: Alone) -> None:
    alone.done(cmd.Detach())
    status = alone.done(cmd.FetchStatus(view=True))
    assert isinstance(status, cmd.Status)
    assert status.parts == 1
    now = alone.engine.now
    publisher = alone.engine.node.turn.publisher
    view = View.from_parts([publisher.snapshot_part(status.boot, status.seq, 0, now)])
    assert view.session.name == "a"
    assert not view.clients
    assert isinstance(alone.done(cmd.StopEngine()), cmd.Done)


def test_with_all_places_taken_the_longest_silent_client_gives_way(alone: Alone) -> None:
    others = [alone.engine.attach(f"other {number}") for number in range(MAX_CLIENTS - 1)]
    alone.run()
    early = alone.engine.attach("too early")
    alone.client.gone = True
    alone.run(CLIENT_SILENT_S + 0.1)
    newcomer = alone.engine.attach("newcomer")
    alone.run()
    assert early.view is None
    assert newcomer.view is not None
    assert ev.ClientDetached(1) in others[-1].events
    assert len(newcomer.view.clients) == MAX_CLIENTS


OTHER = "invalid: That id is another message already."


def failure(alone: Alone, command: cmd.Command) -> str:
    reply = alone.ask(command)
    assert reply.failure, reply.result
    return f"{reply.failure.code}: {reply.failure.text}"


def test_another_message_under_a_known_id_is_refused_and_the_same_one_is_queued(
    alone: Alone,
) -> None:
    first = alone.done(cmd.SendMessage(ID, 1, "hello", 1))
    assert alone.done(cmd.SendMessage(ID, 1, "hello", 2)) == first
    assert failure(alone, cmd.SendMessage(ID, 1, "something else")) == OTHER
    alone.engine.dial(("10.0.0.9", 9))
    alone.run()
    assert failure(alone, cmd.SendMessage(ID, 2, "hello")) == OTHER
    assert alone.done(cmd.SendMessage(ID, 1, "hello")) == first


def test_of_two_at_once_under_one_id_the_second_is_refused(alone: Alone) -> None:
    asked = [alone.client.ask(cmd.SendMessage(ID, 1, text)) for text in ("a", "b", "a")]
    alone.run()
    first, second, third = (alone.client.replies[number] for number in asked)
    assert first.result == third.result == cmd.Queued(1, 1)
    assert second.failure == envelope.Failure("invalid", "That id is another message already.")


def test_an_offer_is_known_by_the_paths_as_given(alone: Alone) -> None:
    assert alone.engine.files
    alone.engine.files.sources |= {"a": b"content", "b": b"content"}
    asked = [alone.client.ask(cmd.OfferFiles(ID, 1, [path])) for path in ("/home/a", "/home/b")]
    alone.run()
    first, second = (alone.client.replies[number] for number in asked)
    assert first.result == cmd.Queued(1, 1)
    assert second.failure
    assert alone.done(cmd.OfferFiles(ID, 1, ["/home/a"])) == cmd.Queued(1, 1)
    assert failure(alone, cmd.OfferFiles(ID, 1, ["/home/b"])) == OTHER
    assert failure(alone, cmd.SendMessage(ID, 1, "a text")) == OTHER
    text = b"t" * 16
    alone.done(cmd.SendMessage(text, 1, "a text"))
    assert failure(alone, cmd.OfferFiles(text, 1, ["/home/a"])) == OTHER


def test_detaching_is_told_to_the_others_once(alone: Alone) -> None:
    other = alone.engine.attach("other")
    alone.run()
    alone.done(cmd.Detach())
    left = [event for event in other.events if isinstance(event, ev.ClientDetached)]
    assert left == [ev.ClientDetached(1)]


def test_attaching_again_under_another_name_replaces_the_former_client(alone: Alone) -> None:
    other = alone.engine.attach("other")
    alone.run()
    alone.attach(None, "renamed")
    assert ev.ClientDetached(1) in other.events
    assert other.view
    assert sorted(row.name for row in other.view.clients) == ["a/other/1", "renamed"]


def test_attaching_again_with_a_known_cursor_needs_no_snapshot(alone: Alone) -> None:
    first = alone.attach(None)
    assert first.parts > 0
    again = alone.attach(cmd.Cursor(first.boot, first.head_seq, 0))
    assert (again.parts, again.seq, again.client) == (0, first.head_seq, first.client)


def test_a_cursor_of_another_boot_gets_a_snapshot(alone: Alone) -> None:
    alone.done(cmd.SendMessage(ID, 1, "x"))
    result = alone.attach(cmd.Cursor(b"b" * 8, 1, 0))
    assert (result.parts > 0, result.last_no) == (True, 1)


def test_a_history_page_has_at_least_one_row_and_at_most_the_limit(alone: Alone) -> None:
    for number in range(3):
        alone.done(cmd.SendMessage(bytes([number]) * 16, 1, f"text {number}"))
    page = alone.done(cmd.FetchHistory(limit=0))
    assert isinstance(page, cmd.HistoryPage)
    assert len(page.rows) == 1
    page = alone.done(cmd.FetchHistory(limit=MAX_HISTORY_ROWS + 1))
    assert isinstance(page, cmd.HistoryPage)
    assert len(page.rows) == 3


def test_too_many_questions_at_once_are_told_to_come_back(alone: Alone) -> None:
    numbers = [alone.client.ask(cmd.FetchStatus()) for _ in range(MAX_READS + 1)]
    alone.run()
    failures = [alone.client.replies[number].failure for number in numbers]
    assert [failure.code for failure in failures if failure] == ["busy"]
    assert failures[-1]


def test_status_says_who_is_here_and_what_the_links_do(alone: Alone) -> None:
    status = alone.done(cmd.FetchStatus())
    assert isinstance(status, cmd.Status)
    facts = status.facts
    assert (facts["session"], facts["listening"], facts["store"]) == ("a", "10.0.0.1:5001", "ok")
    assert facts["sim_commits"] == alone.engine.commits
    assert facts["udp_dropped_version"] == 0
    assert [client["name"] for client in status.clients] == [alone.client.name]
    (link,) = status.links
    assert (link["name"], link["state"], link["trust"]) == ("10.0.0.2:5002", "dialling", "none")
    assert "rtt_ms" not in link


def test_the_named_limit_of_peers_is_reached(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vars(people)["MAX_PEERS"] == MAX_PEERS
    monkeypatch.setattr(people, "MAX_PEERS", 40)
    for port in range(2, 41):
        alone.engine.dial(("10.0.0.9", port))
    alone.run(0.1)
    assert "busy" in alone.refused(cmd.AddPeer("10.0.0.9", 9999))
    assert "busy" in alone.refused(cmd.MakeInvite(0))
    added = alone.done(cmd.AddPeer("10.0.0.9", 2, "known"))
    assert added == cmd.PeerAdded(2)


def test_adding_a_known_address_only_renames_it(alone: Alone) -> None:
    assert alone.done(cmd.AddPeer(*B, "friend")) == cmd.PeerAdded(1)
    assert alone.done(cmd.AddPeer(*B)) == cmd.PeerAdded(1)
    assert alone.client.view
    assert [peer.info.name for peer in alone.client.view.peers] == ["friend"]


def test_a_peer_is_renamed_and_limited_and_forgotten(alone: Alone) -> None:
    alone.done(cmd.SetPeer(1, "friend"))
    alone.done(cmd.SetPeer(1, auto_accept_bytes=0))
    assert alone.client.view
    (peer,) = alone.client.view.peers
    assert (peer.info.name, peer.info.auto_accept_bytes) == ("friend", 0)
    alone.done(cmd.RemovePeer(1))
    assert alone.client.view.peers == []
    assert "unknown-peer" in alone.refused(cmd.SendMessage(ID, 1, "x"))


def test_a_peer_is_dialled_at_another_address(alone: Alone) -> None:
    alone.done(cmd.AddPeer("10.0.0.8", 8, "other"))
    taken = alone.refused(cmd.SetPeer(1, host="10.0.0.8", port=8))
    assert "That is the address of other." in taken
    alone.done(cmd.SetPeer(1, host="10.0.0.9", port=9))
    assert alone.client.view
    peer = alone.client.view.peers[0]
    assert (peer.info.host, peer.info.port, peer.info.name) == ("10.0.0.9", 9, "10.0.0.9:9")
    alone.run(5)
    assert alone.client.view.peers[0].link.state == "dialling"
    assert alone.client.view.peers[0].link.address == "10.0.0.9:9"


def test_retrying_dials_at_once(alone: Alone) -> None:
    alone.run(20)
    sent = len(alone.engine.sent)
    request = alone.client.ask(cmd.RetryPeer(1))
    alone.clock.run(alone.clock.now_s + 0.001)
    assert alone.client.replies[request].result == cmd.Done()
    assert len(alone.engine.sent) == sent + 1


def test_marks_beyond_what_arrived_change_nothing(alone: Alone) -> None:
    commits = alone.engine.commits
    assert alone.done(cmd.MarkShown(1, 5)) == cmd.Done()
    assert alone.done(cmd.MarkRead(1, -1)) == cmd.Done()
    assert alone.done(cmd.SetTyping(1, True)) == cmd.Done()
    assert alone.engine.commits == commits


def test_a_text_that_was_never_sent_is_withdrawn_once_and_for_all(alone: Alone) -> None:
    alone.done(cmd.SendMessage(ID, 1, "no"))
    assert alone.done(cmd.WithdrawMessage(ID, 1)) == cmd.Done()
    assert alone.done(cmd.WithdrawMessage(ID, 1)) == cmd.Done()
    assert alone.client.view
    (message,) = alone.client.view.peers[0].messages
    assert message.failed == "withdrawn"
    assert "not-allowed" in alone.ask(cmd.WithdrawMessage(UNKNOWN, 1)).failure.code  # type: ignore[union-attr]


def test_only_a_withdrawn_text_is_deleted_and_its_words_are_gone(alone: Alone) -> None:
    alone.done(cmd.SendMessage(ID, 1, "my password"))
    refused = alone.ask(cmd.DeleteMessage(ID, 1)).failure
    assert refused
    assert refused.code == "not-allowed"
    assert alone.done(cmd.WithdrawMessage(ID, 1)) == cmd.Done()
    assert alone.done(cmd.DeleteMessage(ID, 1)) == cmd.Done()
    assert alone.done(cmd.DeleteMessage(ID, 1)) == cmd.Done()
    assert alone.client.view
    (message,) = alone.client.view.peers[0].messages
    assert (message.failed, message.body, message.seq) == ("deleted", b"", 1)
    assert "not-allowed" in alone.ask(cmd.DeleteMessage(UNKNOWN, 1)).failure.code  # type: ignore[union-attr]
    alone.done(cmd.SendMessage(UNKNOWN, 1, "next"))
    assert alone.client.view.peers[0].last_seq == 2


def test_an_unaccepted_invited_peer_with_a_key_cannot_be_invited_again(alone: Alone) -> None:
    invited = alone.client.ask(cmd.MakeInvite(1))
    alone.run(1)
    assert isinstance(alone.client.replies[invited].result, cmd.Invited)
    assert alone.client.view
    assert alone.client.view.peers[0].info.trust == Trust.INVITED
    assert alone.done(cmd.TrustPeer(1, "accept")) == cmd.Done()
    assert alone.client.view.peers[0].info.trust == Trust.NONE


def test_a_stop_is_announced_and_the_first_reason_holds(alone: Alone) -> None:
    alone.client.ask(cmd.StopEngine("first"))
    alone.client.ask(cmd.StopEngine("second"))
    alone.run(3)
    assert alone.engine.stopped == "first"
    assert [e.reason for e in alone.client.events if isinstance(e, ev.EngineStopping)] == ["first"]


def test_a_request_that_cannot_be_read_is_answered_without_a_number(alone: Alone) -> None:
    node = alone.engine.node
    assert node
    assert 0 not in alone.client.replies
    node.handle_request(alone.client.routing_id, [b"one", b"two"], alone.engine.now)
    alone.run(1)
    assert 0 not in alone.client.replies, "more frames than one are none of ours"
    for data in (b"\xc1", codec.pack({"id": 77, "command": {"type": "No"}})):
        node.handle_request(alone.client.routing_id, [data], alone.engine.now)
        alone.run(1)
        failure = alone.client.replies.pop(0).failure
        assert failure
        assert failure.code == "invalid"


def test_a_repeated_command_is_done_once_and_answered_again(alone: Alone) -> None:
    frame = codec.pack(envelope.Request(500, cmd.SendMessage(ID, 1, "once")))
    alone.engine.request(alone.client.routing_id, frame)
    alone.engine.request(alone.client.routing_id, frame)  # while the first is on its way
    alone.run()
    first = alone.client.replies.pop(500)
    alone.engine.request(alone.client.routing_id, frame)
    alone.run()
    assert alone.client.replies[500] == first
    assert alone.client.view
    assert len(alone.client.view.peers[0].messages) == 1


@pytest.mark.parametrize(("typed_ms", "ago_ms"), [(-60_000, 60_000), (60_000, 0), (None, 0)])
def test_a_text_that_waited_for_the_engine_was_sent_when_it_was_written(
    typed_ms: int | None, ago_ms: int
) -> None:
    alone = Alone()
    now_ms = alone.clock.wall_ms
    sent_ms = 0 if typed_ms is None else now_ms + typed_ms
    alone.done(cmd.SendMessage(ID, 1, "x", 0, sent_ms))
    page = alone.done(cmd.FetchHistory(peer=1))
    assert isinstance(page, cmd.HistoryPage)
    assert 0 <= page.rows[0].sent_ms - (now_ms - ago_ms) < 1000
