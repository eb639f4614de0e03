"""Answering strangers and peers: the half-open handshakes, bounded, and the refusals.

Owns what an unauthenticated datagram can make us remember, and nothing else.
"""

from collections import OrderedDict
from collections.abc import Mapping

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.admission import Admission, Verdict
from chatnet_engine.secure.events import Reflected, VersionSeen
from chatnet_engine.secure.handshake import AuthenticatedHandshake, HalfOpen
from chatnet_engine.secure.local import Local
from chatnet_engine.secure.noise import NoiseError
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.wire import datagrams


class Responder:
    """INITs and FINs in; RESPs, COOKIEs and Proofs out."""

    def __init__(self, local: Local, now: float) -> None:
        self._local = local
        self._admission = Admission(local.identity.public, local.random, now, local.config)
        self._by_ephemeral: dict[bytes, HalfOpen] = {}
        self._spent: OrderedDict[bytes, None] = OrderedDict()
        self._refusals: OrderedDict[int, tuple[bytes, bytes, float]] = OrderedDict()
        self.invites: Mapping[int, bytes] = {}

    @property
    def half_open(self) -> int:
        """Handshakes waiting for their FIN."""
        return len(self._local.half_open)

    def handle_init(self, data: bytes, addr: Addr, now: float) -> None:
        """Answer an INIT of our version with RESP or COOKIE, or drop it."""
        local, counters = self._local, self._local.counters
        counters.inits_received += 1
        try:
            init = datagrams.decode_init(data)
        except DecodeError:
            counters.dropped_malformed += 1
            return
        ours = local.initiations.get(init.index)
        if ours is not None and ours.ephemeral == init.ephemeral:
            counters.dropped_reflected += 1
            local.events.append(Reflected(ours.peer, addr))
            return
        ephemeral = init.ephemeral
        if ephemeral in self._spent:
            counters.dropped_duplicate_init += 1
            return
        held = self._by_ephemeral.get(ephemeral)
        if held is not None:
            if held.remote_index == init.index and held.answers(addr, now):
                local.send(held.resp, addr)
            else:
                counters.dropped_duplicate_init += 1
            return
        if init.mode == datagrams.Mode.XXPSK3 and not self.invites:
            counters.dropped_no_invite += 1
            return
        if self._loses_to_ours(init, addr, now):
            counters.dropped_simultaneous += 1
            return
        if init.cookie == datagrams.NO_COOKIE and self.half_open >= local.config.free_half_open:
            self._send_cookie(init, addr, now)  # any class: a flood ends here, before mac1
            return
        known = self._admission.knows_us(init)
        if not known:
            counters.stranger_inits += 1
        self._admit(init, addr, now, known)

    def handle_fin(self, data: bytes, addr: Addr) -> tuple[HalfOpen, AuthenticatedHandshake] | None:
        """The proof of a FIN that completes a half-open handshake."""
        local = self._local
        try:
            answer = datagrams.decode_fin(data)
        except DecodeError:
            local.counters.dropped_malformed += 1
            return None
        refusal = self._refusals.get(answer.index)
        if refusal is not None and refusal[0] == data:
            local.send(refusal[1], addr)
            return None
        half_open = local.half_open.get(answer.index)
        if half_open is None:
            local.counters.dropped_unknown_index += 1
            return None
        try:
            proof = half_open.read_fin(answer, data, addr, self.invites)
        except DecodeError:
            local.counters.dropped_forged += 1
            return None
        self._close(half_open)
        self._spent[half_open.initiator_ephemeral] = None
        if len(self._spent) > local.config.max_spent_inits:
            self._spent.popitem(last=False)
        return half_open, proof

    def remember_refusal(self, proof: AuthenticatedHandshake, datagram: bytes, now: float) -> None:
        """Send a refusal, and again for each repetition of its FIN."""
        self._refusals[proof.index] = (proof.fin, datagram, now + self._local.config.half_open_s)
        if len(self._refusals) > self._local.config.max_refusals:
            self._refusals.popitem(last=False)
        self._local.send(datagram, proof.addr)

    def handle_version(self, data: bytes, addr: Addr, now: float) -> None:
        """An INIT of another version: say which one is spoken here."""
        self._local.counters.dropped_version += 1
        if len(data) < datagrams.MIN_INIT_BYTES or not self._admission.answer_version(now):
            return
        self._local.send(datagrams.encode_version(datagrams.peek_index(data)), addr)
        if addr in self._local.initiating:
            self._local.events.append(VersionSeen(addr, datagrams.peek_version(data)))

    def handle_timeout(self, now: float) -> None:
        """Forget what is over."""
        life = self._local.config.half_open_s
        for half_open in list(self._local.half_open.values()):
            if now >= half_open.started + life:
                self._close(half_open)
        for index in [i for i, (_, _, until) in self._refusals.items() if now >= until]:
            del self._refusals[index]

    def next_timeout(self) -> float:
        """Infinity if never."""
        # The oldest stands first.
        half_open = next(iter(self._local.half_open.values()), None)
        refusal = next(iter(self._refusals.values()), None)
        first_s = float("inf") if refusal is None else refusal[2]
        if half_open is not None:
            first_s = min(first_s, half_open.started + self._local.config.half_open_s)
        return first_s

    def _admit(self, init: datagrams.Init, addr: Addr, now: float, known: bool) -> None:
        local = self._local
        config = local.config
        open_now = list(local.half_open.values())
        strangers = [h for h in open_now if not h.known]
        crowded = not known and len(strangers) >= config.max_half_open_strangers
        crowd = strangers if crowded else open_now  # a stranger too many costs no known one a place
        evictable = bool(crowd) and now >= crowd[0].started + config.evict_half_open_s
        verdict = self._admission.judge(
            init,
            addr,
            now,
            known=known,
            half_open=len(open_now),
            full=crowded or len(open_now) >= config.max_half_open,
            evictable=evictable,
        )
        if verdict is Verdict.COOKIE:
            self._send_cookie(init, addr, now)
        elif verdict is Verdict.DROP_FULL:
            local.counters.dropped_half_open_full += 1
        elif verdict is Verdict.DROP_RATE:
            local.counters.dropped_rate += 1
        else:
            if verdict is Verdict.ADMIT_EVICTING:
                self._close(crowd[0])
            self._open(init, addr, now, known)

    def _send_cookie(self, init: datagrams.Init, addr: Addr, now: float) -> None:
        local = self._local
        if len(local.outbox) >= local.config.max_answers and addr not in local.initiating:
            local.counters.dropped_burst += 1
            return
        local.counters.cookies_sent += 1
        cookie = self._admission.cookie(init.index, addr, now)
        local.send(datagrams.encode_cookie(init.index, cookie), addr)

    def _open(self, init: datagrams.Init, addr: Addr, now: float, known: bool) -> None:
        local = self._local
        try:
            half_open = HalfOpen(
                init=init,
                addr=addr,
                identity=local.identity,
                own=local.own(local.incarnations.at(addr), local.draw_index()),
                ephemeral=local.random(32),
                known=known,
                now=now,
            )
        except NoiseError:
            local.counters.dropped_forged += 1
            return
        local.half_open[half_open.index] = half_open
        self._by_ephemeral[half_open.initiator_ephemeral] = half_open
        local.send(half_open.resp, addr)

    def _close(self, half_open: HalfOpen) -> None:
        del self._local.half_open[half_open.index]
        del self._by_ephemeral[half_open.initiator_ephemeral]

    def _loses_to_ours(self, init: datagrams.Init, addr: Addr, now: float) -> bool:
        """Simultaneous open: our own attempt there has just begun and has the larger key.

        Not when the modes differ or an answer from there was refused: then ours will not succeed.
        """
        ours = self._local.initiating.contender(addr, now, self._local.config.simultaneous_s)
        return (
            ours is not None
            and ours.mode == init.mode
            and not ours.refused_keys
            and ours.ephemeral > init.ephemeral
        )
