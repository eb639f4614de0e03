"""Reads what `chatnet status` and the gauges show: facts by name, for people and programs."""

from collections.abc import Iterable, Mapping
from dataclasses import fields

from chatnet_engine.node.config import NodeConfig
from chatnet_engine.node.front_ends.clients import Client
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.messaging.messaging import Messaging
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.turn import Turn
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_protocol.addresses import show_address
from chatnet_protocol.ipc.commands import Status
from chatnet_protocol.ipc.events import LinkGauge

Facts = dict[str, int | float | str | bool]


class Figures:
    """Status and gauges. `contained`: how often something was contained, by name."""

    def __init__(
        self,
        config: NodeConfig,
        endpoint: Endpoint,
        peers: Peers,
        links: Links,
        messaging: Messaging,
        turn: Turn,
        contained: Mapping[str, int],
    ) -> None:
        self._config = config
        self._endpoint = endpoint
        self._peers = peers
        self._links = links
        self._messaging = messaging
        self._turn = turn
        self._contained = contained

    def collect(self, attached: Iterable[Client], counts: Mapping[str, int]) -> Status:
        """Everything at this moment; `counts`: what sockets and processes have counted."""
        session = self._turn.publisher.view.session
        facts: Facts = {
            "session": session.name,
            "name": session.display_name,
            "version": session.version,
            "boot": self._config.boot.hex(),
            "listening": show_address(session.host, session.port),
            "fingerprint": session.fingerprint,
            "inbox": session.inbox,
            "log": session.log,
            "impair": session.impair,
            "limit_bytes_s": session.limit_bytes_s,
            "restarts": session.restarts,
            "died_of": session.died_of,
            "incarnation": f"{self._config.incarnation:016x}",
            "events": self._turn.publisher.seq,
            "last_no": self._turn.publisher.view.last_no,
            "store": self._turn.commits.failing or "ok",
        }
        counters = self._endpoint.counters
        for field in fields(counters):
            facts[f"udp_{field.name}"] = getattr(counters, field.name)
        facts |= {**counts, **self._contained}
        clients: list[Facts] = [
            {
                "client": client.row.client,
                "name": client.row.name,
                "role": client.row.role,
                "since_ms": client.row.since_ms,
                "behind": max(0, self._turn.publisher.seq - client.seq),
            }
            for client in attached
        ]
        return Status(facts, [self.link_facts(row.peer) for row in self._peers], clients)

    def link_facts(self, peer: int) -> Facts:
        """One link: who, where, how well."""
        row = self._peers.need(peer)
        known = self._links.get(peer)
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
        if (gauge := self.link_gauge(peer, 0)) is not None:
            for name in LinkGauge.__struct_fields__[2:]:
                out[name] = getattr(gauge, name)
        return out

    def link_gauge(self, peer: int, revision: int) -> LinkGauge | None:
        """Statistics of a link that is up."""
        session = self._links.sessions.get(peer)
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
            waiting=self._messaging.conversations[peer].waiting,
            bursty=stats.bursty,
            copies=stats.copies,
            path_rate_bytes_s=round(stats.rate_bytes_per_s, 1),
            queue_ms=round(stats.queue_s * 1000, 3),
            mtu_bytes=stats.mtu_bytes,
            loss_in=round(session.loss_in, 4),
            burst_ms=round(stats.burst_s * 1000, 3),
        )
