"""A reducer by somebody who knows only the specification.

It works on plain msgpack values, field by field as protocol/README.md 5.9, 5.11 and 6 number them,
and imports nothing of ChatNet.
"""

from typing import Any

import msgpack

NO, ID, MINE, BODY, SEQ, ACK, LAMPORT, PLACE, FAILED = 0, 1, 2, 4, 7, 8, 10, 11, 12
SESSION, SESSION_PEERS, TRANSFERS, CLIENTS, LAST_NO, STOPPING = range(6)
INFO, LINK, MESSAGES, P_LAST_NO, LAST_SEQ, LAST_ACK, SENT, DELIVERED = range(8)
SHOWN, READ, MY_SHOWN, MY_READ, DRAFT, DRAFT_REVISION, TYPING, RESTORE = range(8, 16)
NO_RESTORE = [0, "none", "none", 0]
ENDED = ("done", "rejected", "cancelled", "failed")

Plain = list[Any]


class Stranger:
    """A view as plain lists."""

    def __init__(self, snapshot: bytes) -> None:
        self.view: Plain = msgpack.unpackb(snapshot)

    def peer(self, number: int) -> Plain | None:
        return next((p for p in self.view[SESSION_PEERS] if p[INFO][0] == number), None)

    def apply(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind in ("MessagesAdded", "MessagesRestored") and event["rows"]:
            self.view[LAST_NO] = max(self.view[LAST_NO], event["rows"][-1][NO])
        rule = getattr(self, f"on_{kind}", None)
        if rule:
            rule(event)
            return
        number = (
            event["row"][0] if kind in ("LinkChanged", "RestoreChanged") else event.get("peer", 0)
        )
        peer = self.peer(number)
        if peer is not None:
            change(peer, event)

    def on_PeerChanged(self, event: dict[str, Any]) -> None:
        peer = self.peer(event["row"][0])
        if peer is not None:
            peer[INFO] = event["row"]
            return
        idle = [event["row"][0], "idle", 0, "", None, "", 0]
        self.view[SESSION_PEERS].append(
            [event["row"], idle, [], *[0] * 9, "", 0, False, NO_RESTORE]
        )

    def on_PeerRemoved(self, event: dict[str, Any]) -> None:
        gone, into = self.peer(event["peer"]), self.peer(event["into"])
        self.view[SESSION_PEERS] = [p for p in self.view[SESSION_PEERS] if p is not gone]
        if event["into"]:
            for transfer in self.view[TRANSFERS]:
                if transfer[1] == event["peer"]:
                    transfer[1] = event["into"]
        if gone is None or into is None:
            return
        if into[DELIVERED] == into[LAST_SEQ]:
            into[DELIVERED] = into[LAST_SEQ] + gone[DELIVERED]
        into[SENT] = max(into[SENT], into[DELIVERED])
        into[LAST_SEQ] += gone[LAST_SEQ]
        for field in (P_LAST_NO, LAST_ACK, SHOWN, READ, MY_SHOWN, MY_READ):
            into[field] = max(into[field], gone[field])
        if gone[DRAFT] and not into[DRAFT]:
            into[DRAFT] = gone[DRAFT]
            into[DRAFT_REVISION] += 1
        into[MESSAGES] = bounded(event["rows"])

    def on_TransferChanged(self, event: dict[str, Any]) -> None:
        transfers = self.view[TRANSFERS]
        places = [i for i, row in enumerate(transfers) if row[0] == event["row"][0]]
        if places:
            transfers[places[0]] = event["row"]
        else:
            transfers.append(event["row"])
        ended = [row for row in transfers if row[4] in ENDED]
        for row in ended[:-256]:
            transfers.remove(row)

    def on_ClientAttached(self, event: dict[str, Any]) -> None:
        self.on_ClientDetached({"client": event["row"][0]})
        self.view[CLIENTS].append(event["row"])

    def on_ClientDetached(self, event: dict[str, Any]) -> None:
        self.view[CLIENTS] = [row for row in self.view[CLIENTS] if row[0] != event["client"]]

    def on_SessionChanged(self, event: dict[str, Any]) -> None:
        self.view[SESSION] = event["row"]

    def on_EngineStopping(self, event: dict[str, Any]) -> None:
        self.view[STOPPING] = event["reason"]

    def on_Notice(self, event: dict[str, Any]) -> None:
        pass


def change(peer: Plain, event: dict[str, Any]) -> None:
    match event["type"]:
        case "MessagesAdded":
            add(peer, event["rows"])
        case "MessagesRestored":
            numbers = {row[NO] for row in event["rows"]}
            peer[MESSAGES] = [row for row in peer[MESSAGES] if row[NO] not in numbers]
            add(peer, event["rows"])
            if event["tail"] is not None:
                peer[MESSAGES] = bounded(event["tail"])
        case "MessagesDelivered":
            peer[DELIVERED] = max(peer[DELIVERED], event["delivered_seq"])
            peer[SENT] = max(peer[SENT], event["delivered_seq"])
            for seq, ack, run in event["runs"]:
                for row in peer[MESSAGES]:
                    if row[MINE] and not row[ACK] and seq - run < row[SEQ] <= seq:
                        row[ACK] = ack - (seq - row[SEQ])
        case "MessageFailed":
            for row in peer[MESSAGES]:
                if row[NO] == event["no"]:
                    row[FAILED] = event["reason"]
        case "CountersRaised":
            for row in peer[MESSAGES]:
                if row[MINE] and row[SEQ] > event["after_seq"]:
                    row[LAMPORT] += event["by"]
            add(peer, [])
        case "MarksMoved":
            names = ("sent_seq", "peer_shown", "peer_read", "my_shown", "my_read")
            places = (SENT, SHOWN, READ, MY_SHOWN, MY_READ)
            for field, name in zip(places, names, strict=True):
                peer[field] = max(peer[field], event[name])
        case "DraftChanged":
            peer[DRAFT], peer[DRAFT_REVISION] = event["text"], event["revision"]
        case "TypingChanged":
            peer[TYPING] = event["typing"]
        case "LinkChanged":
            peer[LINK] = event["row"]
        case "RestoreChanged":
            peer[RESTORE] = event["row"]
        case _:
            pass


def add(peer: Plain, added: list[Plain]) -> None:
    for row in added:
        peer[P_LAST_NO] = max(peer[P_LAST_NO], row[NO])
        field, number = (LAST_SEQ, row[SEQ]) if row[MINE] else (LAST_ACK, row[ACK])
        peer[field] = max(peer[field], number)
    tail = peer[MESSAGES] + added
    tail.sort(key=lambda row: (row[PLACE], row[LAMPORT], row[MINE], row[ID]))
    peer[MESSAGES] = bounded(tail)


def bounded(tail: list[Plain]) -> list[Plain]:
    kept: list[Plain] = []
    for row in reversed(tail):
        size = sum(len(other[BODY]) for other in kept) + len(row[BODY])
        if len(kept) == 50 or (kept and size > 65_536):
            break
        kept.insert(0, row)
    return kept


def tick(row: Plain, peer: Plain) -> str:
    if not row[MINE]:
        return "read" if row[ACK] <= peer[MY_READ] else "unread"
    if row[FAILED]:
        return "failed"
    if row[ACK] and row[ACK] <= peer[READ]:
        return "read"
    if row[ACK] and row[ACK] <= peer[SHOWN]:
        return "shown"
    if row[ACK] or row[SEQ] <= peer[DELIVERED]:
        return "delivered"
    return "sent" if row[SEQ] <= peer[SENT] else "queued"
