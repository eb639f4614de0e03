"""What a peer can make grow, start or cost, and where that ends."""

from itertools import pairwise

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.offering import MAX_SCANS, FailedOffer
from chatnet_engine.files.outputs import STATEMENT_INTERVAL_S, STATEMENTS_AT_ONCE
from chatnet_engine.files.pauses import MAX_DIAL_INTERVAL_S, MIN_DIAL_INTERVAL_S
from chatnet_engine.files.quota import DAY_MS
from chatnet_engine.files.schedule import MAX_RECEIVING_JOBS, Schedule
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.limits import (
    MAX_AUTOMATIC_BYTES_A_DAY,
    MAX_AUTOMATIC_FILES_A_DAY,
    MAX_FILES_IN_OFFER,
    MAX_VIEW_TRANSFERS,
    MIB,
)
from chatnet_protocol.wire import control as ct
from fake_files import FakeSide, World
from file_pair import ID, KEY, PEER, message


@pytest.fixture
def world() -> World:
    world = World()
    world.settle()
    world.pair.link(True)
    world.settle()
    return world


class Sender:
    """A peer's offers as they are committed at `side`."""

    def __init__(self, side: FakeSide) -> None:
        self.side = side
        self.number = 0
        self.wall_ms = 1

    def offer(
        self,
        sizes: list[int],
        *,
        key: bytes = KEY,
        peer: int = PEER,
        verified: bool = False,
        allowed_bytes: int = 256 * MIB,
    ) -> bytes:
        self.number += 1
        transfer_id = self.number.to_bytes(16, "big")
        body = encode_offer(Offer([OfferedFile([f"{n}"], size) for n, size in enumerate(sizes)]))
        self.side.transfers.handle_peer_offer(
            message(transfer_id, self.number, False, body),
            peer,
            key=key,
            auto_accept_bytes=allowed_bytes,
            verified=verified,
            at=Now(self.side.clock, self.wall_ms),
        )
        self.side.move()
        return transfer_id

    def state(self, sizes: list[int], **options: bytes | int | bool) -> str:
        return self.side.state(self.offer(sizes, **options))  # type: ignore[arg-type]

    def withdraw(self, transfer_id: bytes) -> None:
        end = ct.encode_control(ct.End(transfer_id, ct.EndCode.CANCELLED))
        self.side.transfers.handle_control(PEER, end, Now(self.side.clock, self.wall_ms))
        self.side.move()


def test_who_is_asked_about_is_asked_about_for_empty_files_too(world: World) -> None:
    sender = Sender(world.b)
    assert sender.state([0], allowed_bytes=0) == "offered"
    assert sender.state([0], allowed_bytes=0, verified=True) == "offered"
    assert sender.state([0], allowed_bytes=1) != "offered"


def test_offers_withdrawn_by_the_hundred_do_not_bring_the_quota_back(world: World) -> None:
    sender = Sender(world.b)
    for _ in range(MAX_AUTOMATIC_BYTES_A_DAY // (256 * MIB)):
        sender.withdraw(sender.offer([256 * MIB]))
    for _ in range(MAX_VIEW_TRANSFERS + 6):
        sender.withdraw(sender.offer([300 * MIB]))
    assert sender.state([256 * MIB]) == "offered"
    world.b.restart()
    assert sender.state([1]) == "offered"


def test_empty_files_count_too(world: World) -> None:
    sender = Sender(world.b)
    assert sender.state([0] * MAX_FILES_IN_OFFER) == "waiting"
    assert MAX_AUTOMATIC_FILES_A_DAY == MAX_FILES_IN_OFFER
    assert sender.state([0]) == "offered"


def test_the_quota_belongs_to_the_key_and_not_to_the_number_of_a_peer(world: World) -> None:
    sender = Sender(world.b)
    assert sender.state([0] * MAX_FILES_IN_OFFER, peer=1) == "waiting"
    world.b.transfers.handle_peer_forgotten(1, 0, 0, Now(world.b.clock, 1))
    assert sender.state([0], peer=2) == "offered"
    assert sender.state([0], peer=3, key=b"q" * 32) == "waiting"


def test_another_day_has_a_quota_of_its_own(world: World) -> None:
    sender = Sender(world.b)
    assert sender.state([0] * MAX_FILES_IN_OFFER) == "waiting"
    sender.wall_ms += DAY_MS
    assert sender.state([0]) == "waiting"
    assert world.b.automatic[KEY].files == 1


def test_what_a_verified_peer_sent_counts_when_it_is_verified_no_longer(world: World) -> None:
    sender = Sender(world.b)
    for _ in range(5):
        assert sender.state([256 * MIB], verified=True) == "waiting"
    assert sender.state([1]) == "offered"


def listen_again(world: World, times: int, apart_s: float) -> int:
    """The sender repeats its request to dial; how many dials that made."""
    listen = ct.encode_control(ct.Listen(ID, bytes(8), bytes(32), 9, ct.Suite.CHACHA))
    dials = 0
    handle = world.b.process.handle

    def count(request: pw.Request) -> None:
        nonlocal dials
        dials += isinstance(request, pw.Receive) and bool(request.connect.addrs)
        handle(request)

    world.b.process.handle = count  # type: ignore[method-assign]
    for _ in range(times):
        world.b.transfers.handle_control(PEER, listen, Now(world.b.clock, 1))
        world.b.clock += apart_s
        world.b.move()
    return dials


def test_a_sender_that_repeats_its_request_to_dial_gets_few_dials(world: World) -> None:
    world.a.process.reachable = world.b.process.reachable = False
    world.offer("big")
    world.b.process.jobs.clear()
    assert 1 <= listen_again(world, 3000, 0.001) <= 3.0 / MIN_DIAL_INTERVAL_S
    world.b.clock += MAX_DIAL_INTERVAL_S
    world.b.move()
    assert 1 <= listen_again(world, 1000, 0.1) <= 100.0 / MAX_DIAL_INTERVAL_S + 1


def test_requests_to_dial_for_many_transfers_get_the_places_there_are(world: World) -> None:
    ids = [bytes([number + 1]) * 16 for number in range(MAX_RECEIVING_JOBS + 4)]
    world.b.process.handle = lambda request: None  # type: ignore[method-assign] # it is deaf
    for one in ids:
        world.offer("big", transfer_id=one)
    dialling: set[int] = set()

    def note(request: pw.Request) -> None:
        if isinstance(request, pw.Receive):
            dialling.add(request.job)
        elif isinstance(request, pw.Stop):
            dialling.discard(request.job)

    world.b.process.handle = note  # type: ignore[method-assign]
    for one in ids * 3:
        listen = ct.encode_control(ct.Listen(one, bytes(8), bytes(32), 9, ct.Suite.CHACHA))
        world.b.transfers.handle_control(PEER, listen, Now(world.b.clock, 1))
        world.b.clock += 0.1
        world.b.move()
        assert len(dialling) <= MAX_RECEIVING_JOBS


def test_a_peer_that_offers_and_never_connects_takes_no_place_of_another(world: World) -> None:
    sender = Sender(world.b)
    for _ in range(MAX_RECEIVING_JOBS + 4):
        sender.offer([1], peer=2, key=b"q" * 32)
        world.b.transfers.handle_link(
            2, True, [("10.0.0.2", 1)], incarnation=1, fast_aes=True, at=Now(world.b.clock, 1)
        )
        world.b.move()
    world.offer("big")
    world.run(lambda: world.pair.both("done"))


def test_what_is_sent_takes_no_place_of_what_arrives(world: World) -> None:
    for number in range(MAX_RECEIVING_JOBS):
        world.offer("big", transfer_id=bytes([number + 1]) * 16)
    assert len(world.net.connections) == MAX_RECEIVING_JOBS
    arriving = Sender(world.a).offer([1])
    world.a.move()
    jobs = world.a.process.jobs.values()
    assert [job.id for job in jobs if isinstance(job, pw.Receive)] == [arriving]


def test_a_peer_that_begins_links_is_not_told_of_its_transfers_each_time(world: World) -> None:
    world.offer("big", auto=0)
    world.b.move()
    world.b.said.clear()
    for _ in range(20):
        world.b.link(True)
        world.b.move()
    assert 0 < len(world.b.said) <= STATEMENTS_AT_ONCE
    world.b.said.clear()
    world.b.clock += STATEMENT_INTERVAL_S
    world.b.move()
    assert len(world.b.said) == 1, "the last link is told, a little later"


def test_a_list_that_kills_the_file_process_again_and_again_fails(world: World) -> None:
    world.a.process.handle = lambda request: None  # type: ignore[method-assign] # it is deaf
    world.a.transfers.offer(ID, PEER, ["/home/a/big"], Now(world.a.clock, 1))
    for _ in range(MAX_SCANS):
        assert world.a.offers == []
        world.a.move()
        world.a.restart_process()
        world.a.move()
    (failed,) = world.a.offers
    assert isinstance(failed, FailedOffer)


def test_a_job_that_the_file_process_dies_of_waits_longer_each_time(world: World) -> None:
    starts: list[float] = []
    handle = world.a.process.handle

    def die(request: pw.Request) -> None:
        if isinstance(request, pw.Send):
            starts.append(world.a.clock)
            world.a.restart_process()
            return
        handle(request)

    world.a.process.handle = die  # type: ignore[method-assign]
    world.offer("big")
    listen = ct.encode_control(ct.Listen(ID, bytes(8), bytes(32), 9, ct.Suite.CHACHA))
    for _ in range(400):
        world.a.transfers.handle_control(PEER, listen, Now(world.a.clock, 1))
        world.advance(0.25)
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert pauses[0] < 1 < 16 < pauses[-1]
    assert len(starts) < 12


def test_what_is_due_is_found_without_looking_at_everything() -> None:
    schedule = Schedule()

    class Stub:
        job = 0

        def __init__(self, number: int) -> None:
            self.id = number.to_bytes(16, "big")
            self.retry_at: float | None = None

    stubs = [Stub(number) for number in range(300)]
    for turn in range(20):
        for stub in stubs:
            stub.retry_at = float(turn * 1000) + int.from_bytes(stub.id, "big")
            schedule.note(stub)  # type: ignore[arg-type]
    assert len(schedule._deadlines._heap) <= 2 * len(stubs) + 64
    assert schedule.next_timeout() == 19_000.0
    for stub in stubs[:2]:
        due = schedule.first_due(19_001.0)
        assert due is not None
        assert due.id == stub.id
        schedule.begin(due)
    assert schedule.first_due(19_001.0) is None
    stubs[2].retry_at = None
    schedule.note(stubs[2])  # type: ignore[arg-type]
    assert schedule.next_timeout() == 19_003.0
    schedule.forget(stubs[3].id)
    assert schedule.next_timeout() == 19_004.0
    assert schedule.first_due(19_003.5) is None
