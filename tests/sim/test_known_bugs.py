"""What has gone wrong in other programs, on whole engines, by its number in the list of bugs."""

import os
import sqlite3
from unittest.mock import patch

import msgspec
import pytest

from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.events import Notice
from chatnet_protocol.ipc.rows import LinkState
from chatnet_protocol.limits import MAX_TEXT_BYTES
from chatnet_protocol.wire import messages as wire
from simworld.engine import SimEngine
from simworld.network import Line
from simworld.pair import A, B, Pair

HOUR_S = 3600.0
IDLE_HOURS = float(os.environ.get("CHATNET_IDLE_HOURS", "0.5"))
"""24 by hand."""


def restore(engine: SimEngine, image: bytes) -> None:
    """An older history takes the place of the present one."""
    engine.crash()
    engine.connection = sqlite3.connect(":memory:", isolation_level=None)
    engine.connection.deserialize(image)
    engine.up()


@pytest.mark.parametrize("ahead", [1, 2**40, 2**62 - 1])
def test_r2_a_ghost_mark_is_an_error_and_the_outbox_is_intact(ahead: int) -> None:
    pair = Pair(1)
    pair.at_a.say("delivered")
    pair.settle(5)
    encode = wire.encode_hello

    def lie(hello: wire.Hello) -> bytes:
        return encode(msgspec.structs.replace(hello, mark=hello.mark + ahead))

    pair.b.crash()
    pair.at_a.say("waits")
    pair.run(1)
    with patch.object(wire, "encode_hello", lie):
        pair.b.up()
        pair.run(5)
        shown = pair.peer(pair.at_a)
        assert shown.waiting == 1
        assert shown.link.state == LinkState.REFUSED
    pair.b.crash()
    pair.b.up()
    pair.settle(70)
    pair.check(["delivered", "waits"], [])


@pytest.mark.parametrize("seed", range(5))
def test_r6_both_rolled_back_at_once_agree_again(seed: int) -> None:
    pair = Pair(seed, Line(loss=0.2))
    pair.at_a.say("one")
    pair.at_b.say("eins")
    pair.settle()
    images = [engine.connection.serialize() for engine in (pair.a, pair.b)]
    pair.at_a.say("two")
    pair.at_b.say("zwei")
    pair.settle()
    for engine, image in zip((pair.a, pair.b), images, strict=True):
        restore(engine, image)
    pair.at_a.say("three")
    pair.at_b.say("drei")
    pair.settle()
    pair.check(["one", "three"], ["eins", "drei"])


def test_r8_five_minutes_without_an_ack_double_nothing_and_flood_nobody() -> None:
    pair = Pair(2)
    pair.run(1)
    pair.network.line(B[0], A[0]).cut = True
    pair.at_a.say("heard, but I do not know it")
    pair.run(300)
    assert pair.texts(pair.b, mine=False) == ["heard, but I do not know it"]
    late = [size for at, size in pair.a.sent if at > pair.clock.now_s - 100]
    assert len(late) < 250
    assert sum(late) < 250 * 1200
    pair.network.line(B[0], A[0]).cut = False
    pair.settle(5)
    pair.check(["heard, but I do not know it"], [])


@pytest.mark.parametrize("max_bytes", [1280, 1199, 1000, 600])
@pytest.mark.parametrize("both_ways", [True, False])
def test_r10_an_mtu_hole_is_found_within_ten_seconds(max_bytes: int, both_ways: bool) -> None:
    pair = Pair(3)
    pair.run(2)
    for source, target in ((A, B), (B, A)) if both_ways else ((A, B),):
        pair.network.line(source[0], target[0]).max_bytes = max_bytes
    text = "x" * 20_000
    pair.at_a.say(text)
    pair.settle(10)
    pair.check([text], [])


def test_r11_after_a_spike_of_five_seconds_the_line_is_fast_again() -> None:
    pair = Pair(4)
    for number in range(20):
        pair.at_a.say(f"before {number}")
        pair.run(0.1)
    pair.set_line(delay_s=2.5)
    for number in range(20):
        pair.at_a.say(f"during {number}")
        pair.run(0.2)
    before = len(pair.a.sent)
    pair.run(10)
    assert len(pair.a.sent) - before < 60
    pair.set_line(delay_s=0.025)
    pair.at_a.say("after")
    pair.settle(3)
    assert pair.texts(pair.b, mine=False)[-1] == "after"


def test_r14_a_closed_window_opens_again() -> None:
    pair = Pair(5, Line(loss=0.1))
    pair.run(2)
    pair.b.commit_s = (3.0, 3.0)
    texts = [f"{number} ".ljust(MAX_TEXT_BYTES, "x") for number in range(24)]
    for text in texts:
        pair.at_a.say(text)
    pair.settle(60)
    pair.check(texts, [])


@pytest.mark.parametrize("jump_ms", [-86_400_000, 315_360_000_000])
def test_r15_wall_clocks_may_say_what_they_like(jump_ms: int) -> None:
    pair = Pair(6)
    pair.at_a.say("before")
    pair.run(1)
    pair.a.wall_offset_ms = jump_ms
    pair.at_a.say("after")
    pair.settle(2)
    pair.check(["before", "after"], [])


def test_r15_two_seconds_after_hours_of_sleep_everything_is_back() -> None:
    pair = Pair(7)
    pair.run(2)
    pair.a.sleep()
    pair.run(1)
    pair.at_b.say("you sleep")
    pair.run(8 * HOUR_S)
    pair.a.wake()
    pair.at_a.say("good morning")
    pair.settle(2.5)
    pair.check(["good morning"], ["you sleep"])


def test_r16_an_idle_link_does_not_flap() -> None:
    pair = Pair(8)
    pair.run(2)
    for client in (pair.at_a, pair.at_b):
        client.events.clear()
    pair.run(IDLE_HOURS * HOUR_S)
    for client in (pair.at_a, pair.at_b):
        kinds = {type(event).__name__ for event in client.events}
        assert "LinkChanged" not in kinds
        assert pair.peer(client).link.state == LinkState.UP
        assert pair.peer(client).link.links == 1


def test_r20_an_fsync_of_five_seconds_delays_the_tick_and_loses_nothing() -> None:
    pair = Pair(9)
    pair.run(2)
    pair.b.commit_s = (5.0, 5.0)
    pair.at_a.say("patience")
    pair.run(2)
    assert pair.peer(pair.at_a).delivered_seq == 0
    pair.settle(20)
    pair.check(["patience"], [])


def test_r20_pages_and_front_ends_do_not_wait_for_a_slow_disk() -> None:
    pair = Pair(11)
    pair.at_a.say("before")
    pair.settle(5)
    pair.b.commit_s = (5.0, 5.0)
    pair.at_a.say("patience")
    pair.run(0.5)
    asked = pair.at_b.ask(FetchHistory(limit=10))
    late = pair.b.attach("late")
    pair.run(0.1)
    assert pair.b.committing
    page = pair.at_b.replies[asked].result
    assert isinstance(page, HistoryPage)
    assert [row.text for row in page.rows] == ["before"]
    assert late.view
    assert late.view.last_no == 1


@pytest.mark.parametrize("fault", ["full", "io error", "busy", "read only"])
def test_r20_no_receipt_without_a_commit_and_the_user_is_told(fault: str) -> None:
    pair = Pair(10)
    pair.run(2)
    pair.b.disk.failing = fault
    pair.at_a.say("waits for the disk")
    pair.run(5)
    assert pair.peer(pair.at_a).delivered_seq == 0
    codes = [event.code for event in pair.at_b.events if isinstance(event, Notice)]
    assert codes.count("store-failed") == 1
    pair.b.disk.failing = ""
    pair.settle(10)
    pair.check(["waits for the disk"], [])
    codes = [event.code for event in pair.at_b.events if isinstance(event, Notice)]
    assert codes[-1] == "store-works"
