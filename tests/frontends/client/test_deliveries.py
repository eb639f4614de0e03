"""How a message travelled, in words."""

import time
from typing import Any

import pytest

from chatnet_client.words import deliveries
from chatnet_client.words.deliveries import Step
from chatnet_protocol.ipc.commands import Delivery, FetchDelivery
from chatnet_protocol.ipc.rows import MessageKind, MessageRow, PacketRow

SENT_MS = 1_700_000_000_120
DAY = time.strftime("%d %b %Y", time.localtime(SENT_MS // 1000))


def row(*, mine: bool = True, failed: str = "") -> MessageRow:
    return MessageRow(
        no=5, id=bytes(16), mine=mine, kind=MessageKind.TEXT, body=b"hello", sent_ms=SENT_MS,
        arrived_ms=SENT_MS + 40, seq=3 if mine else 0, ack=7, source="", lamport=9, place=5,
        failed=failed,
    )  # fmt: skip


def sent(*packets: PacketRow, **more: Any) -> Delivery:
    count = len(packets)
    return Delivery(1, packets=list(packets), packet_count=count, attempts=count, **more)


def test_an_own_message_is_asked_for_by_seq_and_ack_and_the_peers_by_ack() -> None:
    assert deliveries.question(row(), 2) == FetchDelivery(2, seq=3, ack=7)
    assert deliveries.question(row(mine=False), 2) == FetchDelivery(2, seq=0, ack=7)


def test_the_steps_of_an_own_message_stand_in_the_order_of_time() -> None:
    delivery = sent(
        PacketRow(20_871, SENT_MS + 2, lost_ms=SENT_MS + 37, link=1),
        PacketRow(20_873, SENT_MS + 20, link=1),
        PacketRow(20_874, SENT_MS + 38, SENT_MS + 51, link=1),
        PacketRow(1, SENT_MS + 60, SENT_MS + 80, link=2),
        acked_ms=SENT_MS + 51, stored_ms=SENT_MS + 54, shown_ms=SENT_MS + 1_200, lost_count=1,
    )  # fmt: skip
    steps = deliveries.steps_of(row(), delivery, "Bob")
    assert [(step.name, step.at_ms - SENT_MS) for step in steps] == [
        (f"Written on {DAY}", 0),
        ("First sent", 2),
        ("Sent again, early copy", 20),
        ("Sent again, after a loss", 38),
        ("Acknowledged", 51),
        ("Stored by Bob", 54),
        ("Sent again, on a new link", 60),
        ("Shown to Bob", 1_200),
    ]
    facts = dict(deliveries.facts_of(row(), delivery))
    assert facts["Attempts"] == "4"
    assert facts["Packets"] == "20,871 (lost) · 20,873 · 20,874 · 1"
    assert facts["Declared lost"] == "1 of 4"
    assert deliveries.missing_words(row(), delivery, "shown") == ""


def test_a_long_message_has_a_first_and_a_last_packet_and_a_count() -> None:
    packets = [PacketRow(number, SENT_MS + number) for number in (1, 2, 59, 60)]
    delivery = Delivery(1, packets=packets, packet_count=60, attempts=1, address="10.0.0.7:5001")
    names = [step.name for step in deliveries.steps_of(row(), delivery, "Bob")]
    assert names == [f"Written on {DAY}", "First sent", "Last packet sent"]
    facts = dict(deliveries.facts_of(row(), delivery))
    assert facts["Packets"] == "1 · 2 · … 56 more … · 59 · 60"
    assert facts["Sent to"] == "10.0.0.7:5001"


def test_a_message_of_the_peer_arrived_and_was_shown_and_read_here() -> None:
    delivery = sent(PacketRow(9, SENT_MS), shown_ms=SENT_MS + 50, address="10.0.0.7:5001")
    steps = deliveries.steps_of(row(mine=False), delivery, "Bob")
    assert [step.name for step in steps] == [f"Arrived on {DAY}", "Shown here"]
    assert deliveries.facts_of(row(mine=False), delivery) == [
        ("Path", "direct, IPv4"), ("Arrivals", "1"), ("Packets", "9"),
    ]  # fmt: skip
    by_ipv6 = sent(PacketRow(9, SENT_MS), address="[fd00::7]:5001")
    assert ("Path", "direct, IPv6") in deliveries.facts_of(row(), by_ipv6)


def test_what_is_not_known_is_left_out_and_the_reason_stands_there() -> None:
    nothing = Delivery()
    assert [step.name for step in deliveries.steps_of(row(), nothing, "Bob")] == [
        f"Written on {DAY}"
    ]
    assert deliveries.facts_of(row(), nothing) == []
    words = deliveries.missing_words
    assert words(row(), nothing, "read").startswith("How it was sent is not known")
    assert words(row(mine=False), nothing, "").startswith("How it arrived is not known")
    assert words(row(), nothing, "queued") == "It has not been sent yet."
    assert words(row(failed="withdrawn"), nothing, "failed") == "It was never sent."
    part = sent(PacketRow(9, SENT_MS, SENT_MS + 4, SENT_MS + 2), complete=False)
    assert words(row(), part, "read") == "Its first packets are not remembered any more."
    facts = dict(deliveries.facts_of(row(), part))
    assert (facts["Attempts"], facts["Packets"]) == ("1 or more", "9 (late)")
    assert [step.name for step in deliveries.steps_of(row(), part, "Bob")] == [
        f"Written on {DAY}", "Sent again, early copy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("later_ms", "words"), [(0, "+0 ms"), (999, "+999 ms"), (1_900, "+1.9 s"), (59_900, "+59.9 s")]
)
def test_a_step_soon_after_has_the_time_between(later_ms: int, words: str) -> None:
    first = Step("Written", SENT_MS)
    assert deliveries.after_words(Step("Later", SENT_MS + later_ms), first) == words


def test_other_steps_have_the_time_of_day_and_the_date_if_it_is_another_day() -> None:
    first = Step("Written", SENT_MS)
    clock = time.strftime("%H:%M:%S", time.localtime(SENT_MS // 1000))
    assert deliveries.after_words(first, None) == f"{clock}.120"
    assert deliveries.after_words(Step("Before", SENT_MS - 1), first) == f"{clock}.119"
    late = deliveries.after_words(Step("Late", SENT_MS + 3 * 86_400_000), first)
    assert late.endswith(f" 2023, {clock}.120")
