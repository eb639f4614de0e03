"""How a message travelled, in words: its steps with their times, and the numbers. Pure."""

import time

from msgspec import Struct

from chatnet_protocol.ipc.commands import Delivery, FetchDelivery
from chatnet_protocol.ipc.rows import MessageRow, PacketRow

MAX_STEPS_AGAIN = 4
"""Times that a message was sent again that have a line of their own."""


class Step(Struct, frozen=True):
    """Something that happened to a message."""

    name: str
    at_ms: int


def question(row: MessageRow, peer: int) -> FetchDelivery:
    """What to ask the engine about this message."""
    return (
        FetchDelivery(peer, seq=row.seq, ack=row.ack)
        if row.mine
        else FetchDelivery(peer, 0, row.ack)
    )


def steps_of(row: MessageRow, delivery: Delivery, name: str) -> list[Step]:
    """What is known to have happened, in order of time; `name` is what the peer is called. What
    is not known is left out."""
    if not row.mine:
        arrived = Step(f"Arrived on {_day_words(row.arrived_ms)}", row.arrived_ms)
        own = [Step("Shown here", delivery.shown_ms), Step("Read here", delivery.read_ms)]
        return [arrived, *(step for step in own if step.at_ms)]
    written = Step(f"Written on {_day_words(row.sent_ms)}", row.sent_ms)
    steps = [written, *_sendings(delivery)]
    steps += [
        step
        for step in (
            Step("Acknowledged", delivery.acked_ms),
            Step(f"Stored by {name}", delivery.stored_ms),
            Step(f"Shown to {name}", delivery.shown_ms),
            Step(f"Read by {name}", delivery.read_ms),
        )
        if step.at_ms
    ]
    return sorted(steps, key=lambda step: step.at_ms)


def facts_of(row: MessageRow, delivery: Delivery) -> list[tuple[str, str]]:
    """Names and values of what is known of the packets, most wanted first."""
    facts: list[tuple[str, str]] = []
    if delivery.address and row.mine:
        facts.append(("Sent to", delivery.address))
    if delivery.address:
        facts.append(("Path", f"direct, {'IPv6' if '[' in delivery.address else 'IPv4'}"))
    if delivery.packet_count:
        count = f"{delivery.attempts:,}"
        facts.append(
            (
                "Attempts" if row.mine else "Arrivals",
                count if delivery.complete else f"{count} or more",
            )
        )
        facts.append(("Packets", packets_words(delivery)))
    if delivery.lost_count:
        facts.append(("Declared lost", f"{delivery.lost_count:,} of {delivery.packet_count:,}"))
    return facts


def missing_words(row: MessageRow, delivery: Delivery, state: str) -> str:
    """One sentence where nothing, or not everything, is known of the packets; empty: all is."""
    if delivery.packet_count:
        return "" if delivery.complete else "Its first packets are not remembered any more."
    if row.mine and state in ("waiting", "queued"):
        return "It has not been sent yet."
    if row.failed:
        return "It was never sent."
    how = "How it was sent" if row.mine else "How it arrived"
    return f"{how} is not known: the engine remembers it only for the newest since it started."


def packets_words(delivery: Delivery) -> str:
    """`20,871 (lost) · 20,874`, or how many, where there are many."""
    words = [_packet_words(packet) for packet in delivery.packets]
    left_out = delivery.packet_count - len(words)
    if left_out > 0:
        words.insert(len(words) // 2, f"… {left_out:,} more …")
    return " · ".join(words)


def after_words(step: Step, before: Step | None) -> str:
    """When a step was: the first by the clock to the millisecond, a later one by the time since."""
    if before is None:
        return _clock_words(step.at_ms)
    if 0 <= (later_ms := step.at_ms - before.at_ms) < 60_000:
        return f"+{later_ms} ms" if later_ms < 1_000 else f"+{later_ms / 1000:.1f} s"
    if _day_words(step.at_ms) == _day_words(before.at_ms):
        return _clock_words(step.at_ms)
    return f"{_day_words(step.at_ms)}, {_clock_words(step.at_ms)}"


def _clock_words(unix_ms: int) -> str:
    """`09:14:07.120` local time."""
    return time.strftime("%H:%M:%S", time.localtime(unix_ms // 1000)) + f".{unix_ms % 1000:03}"


def _day_words(unix_ms: int) -> str:
    """`9 Nov 2026` local time."""
    return time.strftime("%d %b %Y", time.localtime(unix_ms // 1000)).lstrip("0")


def _sendings(delivery: Delivery) -> list[Step]:
    packets = delivery.packets
    if not packets:
        return []
    first = [Step("First sent", packets[0].at_ms)] if delivery.complete else []
    again = packets[1:] if delivery.complete else packets
    if delivery.packet_count != delivery.attempts or len(again) > MAX_STEPS_AGAIN:
        last = packets[-1]
        return [*first, *([Step("Last packet sent", last.at_ms)] if again else [])]
    return first + [Step(f"Sent again, {_why(packets, packet)}", packet.at_ms) for packet in again]


def _why(packets: list[PacketRow], packet: PacketRow) -> str:
    """Why a packet carried the message once more, as far as the packets before it show."""
    before = [each for each in packets if each.at_ms <= packet.at_ms and each is not packet]
    if any(each.link != packet.link for each in before) and before[-1].link != packet.link:
        return "on a new link"
    if any(0 < each.lost_ms <= packet.at_ms for each in before):
        return "after a loss"
    return "early copy"


def _packet_words(packet: PacketRow) -> str:
    lost = " (lost)" if packet.lost_ms and not packet.acked_ms else ""
    late = " (late)" if packet.lost_ms and packet.acked_ms else ""
    return f"{packet.number:,}{lost}{late}"
