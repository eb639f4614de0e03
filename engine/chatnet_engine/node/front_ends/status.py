"""Collects what `chatnet status` shows: facts by name, for people and programs to read."""

from dataclasses import fields

from chatnet_engine.node.parts import Parts
from chatnet_protocol.addresses import show_address
from chatnet_protocol.ipc.commands import Status
from chatnet_protocol.ipc.events import LinkGauge

Facts = dict[str, int | float | str | bool]


def collect(parts: Parts, counts: dict[str, int]) -> Status:
    """Everything at this moment; `counts`: what sockets and processes have counted."""
    session = parts.config.session
    facts: Facts = {
        "session": session.name,
        "name": session.display_name,
        "version": session.version,
        "boot": parts.config.boot.hex(),
        "listening": show_address(session.host, session.port),
        "fingerprint": session.fingerprint,
        "inbox": session.inbox,
        "log": session.log,
        "impair": session.impair,
        "restarts": session.restarts,
        "died_of": session.died_of,
        "incarnation": f"{parts.config.incarnation:016x}",
        "events": parts.publisher.seq,
        "last_no": parts.publisher.view.last_no,
        "store": parts.commits.failing or "ok",
    }
    counters = parts.endpoint.counters
    for field in fields(counters):
        facts[f"udp_{field.name}"] = getattr(counters, field.name)
    facts |= counts | parts.contained
    clients: list[Facts] = [
        {
            "client": client.row.client,
            "name": client.row.name,
            "role": client.row.role,
            "since_ms": client.row.since_ms,
            "behind": max(0, parts.publisher.seq - client.seq),
        }
        for client in parts.front_ends.clients
    ]
    return Status(facts, [link_facts(parts, row.peer) for row in parts.peers], clients)


def link_facts(parts: Parts, peer: int) -> Facts:
    """One link: who, where, how well."""
    row = parts.peers.need(peer)
    known = parts.links.get(peer)
    link = known.row if known else None
    out: Facts = {
        "peer": peer,
        "name": row.name,
        "trust": row.trust,
        "state": link.state if link else "idle",
        "since_ms": link.since_ms if link else 0,
        "address": link.address if link else "",
        "reason": link.reason.code if link and link.reason else "",
        "incarnation": link.incarnation if link else "",
        "links": link.links if link else 0,
    }
    if (gauge := link_gauge(parts, peer, 0)) is not None:
        for name in LinkGauge.__struct_fields__[2:]:
            out[name] = getattr(gauge, name)
    return out


def link_gauge(parts: Parts, peer: int, revision: int) -> LinkGauge | None:
    """Statistics of a link that is up."""
    session = parts.links.sessions.get(peer)
    if session is None:
        return None
    stats = session.connection.stats
    return LinkGauge(
        peer=peer,
        revision=revision,
        rtt_ms=round(stats.smoothed_rtt_s * 1000, 3),
        rtt_var_ms=round(stats.rtt_variation_s * 1000, 3),
        loss=round(stats.loss_rate, 4),
        window_bytes=stats.window_bytes,
        in_flight_bytes=stats.in_flight_bytes,
        packets_sent=stats.packets_sent,
        packets_received=stats.packets_received,
        packets_lost=stats.packets_lost,
        resent_bytes=stats.resent_bytes,
        duplicates=stats.duplicate_messages,
        waiting=parts.conversations[peer].waiting,
    )
