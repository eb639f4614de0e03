"""Who is let in, and what waits to be committed about it."""

from collections.abc import Iterable

from chatnet_engine.addresses import Addr
from chatnet_engine.clock import Now
from chatnet_engine.node.people.gate import Gate
from chatnet_engine.node.people.peers import MAX_PENDING_PEERS, Meaning, Peers
from chatnet_engine.secure.events import Authenticated, LinkUp
from chatnet_protocol.ipc.rows import PeerRow, Trust

OWN, KEY, OTHER = b"o" * 32, b"k" * 32, b"x" * 32
ADDR = ("10.0.0.2", 5002)
NOW = Now(1.0, 1)


def typed_there(addrs: Iterable[Addr]) -> list[int]:
    return [1] if ADDR in addrs else []


def nowhere(addrs: Iterable[Addr]) -> list[int]:
    return []


class Endpoint:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.accepted: list[tuple[int, int]] = []
        self.refused: list[int] = []
        self.unanswered: list[int] = []
        self.takes = True
        """Whether what is accepted makes a session."""

    def accept(self, attempt: int, peer: int, now: float) -> bool:
        self.accepted.append((attempt, peer))
        return self.takes

    def refuse(self, attempt: int, payload: bytes, now: float) -> None:
        self.refused.append(attempt)
        if not payload:
            self.unanswered.append(attempt)


def gate_for(*rows: PeerRow) -> tuple[Gate, Endpoint, Peers]:
    endpoint, peers = Endpoint(), Peers(rows, OWN)
    return Gate(endpoint, peers), endpoint, peers  # type: ignore[arg-type]


def caller(attempt: int, key: bytes = KEY, invite: int | None = None) -> Authenticated:
    return Authenticated(
        attempt=attempt, key=key, incarnation=1, port=ADDR[1], addr=ADDR,
        initiator=False, peer_hint=None, invite=invite,
    )  # fmt: skip


def answered(key: bytes = KEY) -> Authenticated:
    return Authenticated(
        attempt=9, key=key, incarnation=1, port=ADDR[1], addr=ADDR,
        initiator=True, peer_hint=1, invite=None,
    )  # fmt: skip


def link_up(key: bytes = KEY, *, psk: bool) -> LinkUp:
    return LinkUp(
        peer=1, key=key, local_incarnation=1, remote_incarnation=2, addr=ADDR,
        rekey=False, psk=psk, rtt_s=0.05,
    )  # fmt: skip


def row(trust: str = Trust.NONE, key: bytes = b"", number: int = 1) -> PeerRow:
    return PeerRow(number, "bob", ADDR[0], ADDR[1], key=key, trust=trust)


def test_of_two_first_contacts_in_one_turn_the_second_is_another_key() -> None:
    gate, endpoint, _ = gate_for(row())
    meanings = [
        gate.answer(event, typed_there, set(), NOW).meaning
        for event in (caller(1), caller(2, OTHER))
    ]
    assert meanings == [Meaning.PIN, Meaning.KEY_CHANGED]
    assert (endpoint.accepted, endpoint.refused) == ([(1, 1)], [2])
    assert [verdict.meaning for verdict, _ in gate.take_verdicts()] == meanings
    assert gate.take_verdicts() == []


def test_a_known_peer_that_is_shunned_is_refused() -> None:
    gate, endpoint, _ = gate_for(row(Trust.PINNED, KEY))
    gate.answer(caller(1), typed_there, {1}, NOW)
    gate.answer(caller(2), typed_there, set(), NOW)
    assert (endpoint.accepted, endpoint.refused) == ([(2, 1)], [1])
    assert gate.take_verdicts() == []


def test_a_blocked_key_gets_no_answer_wherever_it_comes_from() -> None:
    blocked = PeerRow(7, "rude", "", 0, key=KEY, trust=Trust.PENDING, blocked=True)
    gate, endpoint, peers = gate_for(row(Trust.INVITED), blocked)
    for event in (caller(1), caller(2, invite=1), answered()):
        assert gate.answer(event, typed_there, set(), NOW).meaning is Meaning.BLOCKED
    assert endpoint.accepted == []
    assert endpoint.unanswered == [1, 2, 9]
    assert not gate.proves(link_up(psk=True))
    assert gate.take_verdicts() == []
    assert peers.pending == 0, "it takes no place from strangers"


def test_what_makes_no_session_is_not_decided_yet() -> None:
    gate, endpoint, peers = gate_for(row(Trust.INVITED))
    endpoint.takes = False
    assert gate.answer(caller(1, invite=1), typed_there, set(), NOW).meaning is Meaning.PIN
    assert gate.take_verdicts() == []
    assert not peers.need(1).key
    endpoint.takes = True
    gate.answer(caller(2, invite=1), typed_there, set(), NOW)
    assert [verdict.meaning for verdict, _ in gate.take_verdicts()] == [Meaning.PIN]


def test_strangers_beyond_the_limit_leave_no_trace() -> None:
    rows = [row(Trust.PENDING, bytes([n]) * 32, n + 2) for n in range(MAX_PENDING_PEERS)]
    gate, endpoint, _ = gate_for(*rows)
    gate.answer(caller(1), nowhere, set(), NOW)
    assert endpoint.refused == [1]
    assert gate.take_verdicts() == []


def test_an_invite_is_proved_by_the_caller_at_once() -> None:
    gate, endpoint, peers = gate_for(row(Trust.INVITED))
    assert gate.answer(caller(1, OTHER), typed_there, set(), NOW).meaning is Meaning.UNINVITED
    assert gate.answer(caller(2, invite=1), typed_there, set(), NOW).meaning is Meaning.PIN
    assert (endpoint.accepted, endpoint.refused) == ([(2, 1)], [1])
    assert peers.need(1).key == KEY
    assert gate.proves(link_up(psk=True)), "pinned already, nothing more to say"
    assert [verdict.meaning for verdict, _ in gate.take_verdicts()] == [
        Meaning.UNINVITED,
        Meaning.PIN,
    ]


def test_an_answer_to_a_dial_proves_the_invite_when_the_link_is_up() -> None:
    gate, endpoint, peers = gate_for(row(Trust.INVITED))
    assert gate.answer(answered(), typed_there, set(), NOW).meaning is Meaning.UNPROVEN
    assert endpoint.accepted == [(9, 1)]
    assert gate.take_verdicts() == []
    assert peers.need(1).key == b""
    assert not gate.proves(link_up(psk=False))
    assert peers.need(1).key == b""
    assert gate.proves(link_up(psk=True))
    ((verdict, event),) = gate.take_verdicts()
    assert (verdict.meaning, event.key, event.invite) == (Meaning.PIN, KEY, 1)
    assert peers.need(1).key == KEY


def test_an_invite_answered_by_ourselves_or_by_a_friend_pins_nobody() -> None:
    gate, _, peers = gate_for(row(Trust.INVITED), row(Trust.PINNED, OTHER, 2))
    for key in (OWN, OTHER):
        assert not gate.proves(link_up(key, psk=True))
    assert peers.need(1).key == b""
    assert gate.take_verdicts() == []


def test_what_was_decided_in_an_event_that_raised_is_taken_back() -> None:
    gate, _, peers = gate_for(row())
    gate.begin()
    gate.answer(caller(1, OTHER), nowhere, set(), NOW)
    assert gate.roll_back() == {0}, "a stranger"
    gate.begin()
    gate.answer(caller(1), typed_there, set(), NOW)
    assert peers.need(1).key == KEY
    assert gate.roll_back() == {1}
    assert (peers.need(1), gate.take_verdicts()) == (row(), [])
    gate.answer(caller(2), typed_there, set(), NOW)
    gate.begin()
    assert gate.roll_back() == set()
    assert [verdict.meaning for verdict, _ in gate.take_verdicts()] == [Meaning.PIN]
