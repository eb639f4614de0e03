"""The traces that published events leave: what people see of links, peers, transfers and messages,
without anything that is theirs."""

from typing import assert_never

from chatnet_engine.addresses import Addr
from chatnet_engine.trace import Code, Kind, Tag, Tracer
from chatnet_protocol.addresses import split_address
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import LinkRow, PeerRow, RestoreRow, TransferRow
from chatnet_protocol.ipc.view import View


def trace_event(trace: Tracer, event: ev.Event, before: View) -> None:
    """`before`: the view that the event is about to change."""
    match event:
        case ev.LinkChanged(row):
            _link(trace, row, before)
        case ev.PeerChanged(row):
            _peer(trace, row, before)
        case ev.PeerRemoved():
            trace.add(event.peer, Kind.PEER_REMOVED, into=event.into)
        case ev.TransferChanged(row):
            _transfer(trace, row, before)
        case ev.RestoreChanged(row):
            _restore(trace, row, before)
        case ev.ClientAttached(row):
            trace.add(0, Kind.CLIENT_ATTACHED, client=row.client, role=Code(row.role))
        case ev.ClientDetached():
            trace.add(0, Kind.CLIENT_DETACHED, client=event.client)
        case ev.MessageFailed():
            trace.add(event.peer, Kind.MESSAGE_FAILED, no=event.no)
        case ev.CountersRaised():
            trace.add(event.peer, Kind.COUNTERS_RAISED, by=event.by)
        case ev.Notice():
            code, level = Code(event.code), Code(event.level)
            trace.add(event.peer, Kind.ENGINE_NOTICE, code=code, level=level)
        case ev.EngineStopping():
            trace.add(0, Kind.ENGINE_STOPPING)
        case ev.DraftChanged() | ev.TypingChanged() | ev.SessionChanged() | ev.SkippedEvent():
            pass  # what a person is doing, and nothing that a link does
        case ev.MessagesAdded() | ev.MessagesRestored() | ev.MessagesDelivered() | ev.MarksMoved():
            if trace.detail:
                _detail(trace, event)
        case _:
            assert_never(event)


def _detail(
    trace: Tracer,
    event: ev.MessagesAdded | ev.MessagesRestored | ev.MessagesDelivered | ev.MarksMoved,
) -> None:
    match event:
        case ev.MessagesAdded():
            last = event.rows[-1]
            trace.add(
                event.peer,
                Kind.MESSAGES_ADDED,
                mine=last.mine,
                count=len(event.rows),
                no=last.no,
                seq=last.seq,
                ack=last.ack,
            )
        case ev.MessagesRestored():
            trace.add(event.peer, Kind.MESSAGES_RESTORED, count=len(event.rows))
        case ev.MessagesDelivered():
            ack = event.runs[-1].ack if event.runs else 0
            trace.add(event.peer, Kind.MESSAGES_DELIVERED, seq=event.delivered_seq, ack=ack)
        case ev.MarksMoved():
            trace.add(
                event.peer,
                Kind.MARKS_MOVED,
                sent=event.sent_seq,
                peer_shown=event.peer_shown,
                peer_read=event.peer_read,
                my_shown=event.my_shown,
                my_read=event.my_read,
            )


def _link(trace: Tracer, row: LinkRow, before: View) -> None:
    known = before.peer(row.peer)
    old = known.link.state if known else ""
    if old == row.state:
        return
    where = {"address": addr} if (addr := _addr(row.address)) else {}
    trace.add(row.peer, Kind.LINK_STATE, old=Code(old), new=Code(row.state), **where)


def _peer(trace: Tracer, row: PeerRow, before: View) -> None:
    known = before.peer(row.peer)
    if known is None:
        trace.add(row.peer, Kind.PEER_ADDED, trust=Code(row.trust), typed=bool(row.host))
    elif (known.info.trust, known.info.offered_key) != (row.trust, row.offered_key):
        trace.add(
            row.peer,
            Kind.PEER_TRUST,
            old=Code(known.info.trust),
            new=Code(row.trust),
            key_offered=bool(row.offered_key),
        )


def _transfer(trace: Tracer, row: TransferRow, before: View) -> None:
    known = before.transfer(row.id)
    old = known.state if known else ""
    if (old, known.by if known else "") == (row.state, row.by):
        return
    trace.add(
        row.peer,
        Kind.TRANSFER_STATE,
        transfer=Tag.of(row.id),
        mine=row.mine,
        old=Code(old),
        new=Code(row.state),
        by=Code(row.by),
        files=row.files,
        size=row.size_bytes,
        done=row.done_bytes,
    )


def _restore(trace: Tracer, row: RestoreRow, before: View) -> None:
    known = before.peer(row.peer)
    old = (known.restore.mine, known.restore.theirs) if known and known.restore else ("", "")
    if old != (row.mine, row.theirs):
        mine, theirs = Code(row.mine), Code(row.theirs)
        trace.add(row.peer, Kind.HISTORY_RESTORE, mine=mine, theirs=theirs, restored=row.restored)


def _addr(text: str) -> Addr | None:
    parts = split_address(text)
    return (parts[0].strip("[]"), int(parts[1])) if parts and parts[1].isdigit() else None
