"""Everything that keeps one peer reachable: its dial, our initiation, the slots, the path.

    state      what holds                  INIT timer      RESP accepted  FIN timer
    idle       no session, no dial         –               –              –
    dialling   dial, no session            INIT            → finishing    –
    finishing  next, its FIN unconfirmed   –               –              FIN; at last → renewing
    up         current                     –               –              –
    renewing   a session, and INITs        INIT            → finishing    –

    DATA or CONFIRM on next      promote next (session.py): up
    FIN of the peer, accepted    promote its session: up; an open next stays, the tie decides; an
                                 open initiation is dropped
    REFUSE on next               next erased, 60 s pause: dialling
    re-key age, rehandshake()    up → renewing
    session too old              erased; without another: dialling or idle

LinkUp is announced when a session is promoted, or already when RESP is accepted if there was
nothing to seal with: then DATA goes on the unconfirmed session with FIN in front. A handshake
under an invite is announced only when confirmed: before, nobody has proved to know its secret.
"""

from collections.abc import Sequence

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.admission import mac1, mac1_key
from chatnet_engine.secure.dial import Dial, FinRepeat, InitSchedule, first_repeat_s
from chatnet_engine.secure.events import LinkUp, PeerStatus, Refused, SessionExpired, local_of
from chatnet_engine.secure.handshake import AuthenticatedHandshake, Initiation
from chatnet_engine.secure.local import Local
from chatnet_engine.secure.roaming import Roaming
from chatnet_engine.secure.session import Link, Session, Slots
from chatnet_protocol.wire import datagrams
from chatnet_protocol.wire.datagrams import Mode

_NEVER = float("inf")


class PeerLink:
    """One peer. Writes datagrams and events to `local`."""

    def __init__(self, number: int, local: Local, now: float) -> None:
        self.number = number
        self.dial: Dial | None = None
        self._local = local
        self._slots = Slots()
        self._roaming = Roaming(number, local)
        self._cadence = InitSchedule(local.config, now)
        self._held_until = -_NEVER
        self._initiation: Initiation | None = None
        self._renew = False
        self._fin = FinRepeat(local.config)
        self._announced: Session | None = None
        self._link: Link | None = None
        self._key = b""  # of the last `_link`
        self._proved_psk = False
        self._last_received_s: float | None = None
        self._rtt_s = 0.0  # of the last handshake, or less if what was answered had been repeated

    # --- dialling -------------------------------------------------------------------------------

    def set_dial(self, dial: Dial, now: float, *, at_once: bool) -> None:
        """Idempotent without `at_once`; other addresses, key or secret start over at once."""
        if self.dial is None or not self.dial.equals(dial):
            self._proved_psk &= self.dial is not None and self.dial.psk == dial.psk
            self.dial = dial
            self._drop_initiation()
        elif not at_once:
            return
        self._held_until = -_NEVER
        self._cadence.restart(now)

    def set_urgent(self, urgent: bool, now: float) -> None:
        """Whether something waits to be sent."""
        if now >= self._held_until:
            self._cadence.set_urgent(urgent)
        else:
            self._cadence.urgent = urgent

    def rehandshake(self, now: float) -> None:
        """Make a new session beside the present one."""
        if self._renew or self._slots.sending is None:
            return
        self._renew = True
        self._fin.give_up()
        self._restart(now)

    def erase(self, *, renew: bool) -> None:
        """Forget sessions and initiation.

        `renew`: the last link, if there ever was one, must not go on, even when it is over
        already: numbers of messages are given anew.
        """
        if renew and self._key:
            self._local.incarnations.renew(self._key, self._addrs())
        self._forget(self._slots.all())
        self._slots = Slots()
        self._drop_initiation()
        self._fin.stop()
        self._renew = False
        self._roaming.forget()
        self._announced = self._link = None

    def hold(self, until: float) -> None:
        """No INIT before `until`."""
        self._held_until = until
        self._cadence.restart(until)

    # --- sealing --------------------------------------------------------------------------------

    def seal_many(
        self, packets: Sequence[tuple[int, bytes]], now: float
    ) -> tuple[list[bytes], Addr] | None:
        """DATA datagrams for the first packets that may be sent, and where to send them."""
        session, path = self._slots.sending, self._roaming.path
        if session is None or path is None or self.number in self._local.unannounced:
            return None
        if session.link != self._link or now >= session.ends_at(self._local.config):
            return None
        if session is self._slots.next and self._fin.in_front(now):
            self._send_fin(session)
        payloads = (payload for _, payload in packets)
        if not session.carried and session.carry(payloads, self._local.config, now):
            self._local.changed.add(self.number)
        sealed = session.seal_all(packets)
        self._local.counters.packets_sealed += len(sealed)
        if not path.validated:
            sealed = self._roaming.allow(sealed)
        return (sealed, path.addr) if sealed else None

    # --- handshakes -----------------------------------------------------------------------------

    def initiated(self, proof: AuthenticatedHandshake, initiation: Initiation, now: float) -> bool:
        """Our initiation (of this or another peer number) was answered and accepted."""
        local = self._local
        own = local.incarnations.of(proof.key)
        if self._slots.is_stale((own, proof.identity.incarnation), proof.started):
            return False
        proof.finish(initiation.mode, local.own(own))
        was_usable = self._slots.sending is not None and self._link == proof.link
        session = proof.session(self.number, now)
        local.sessions[session.index] = session
        self._forget(self._slots.put_next(session))
        self._rtt_s = now - proof.sent_at
        local.initiating.answered(initiation, proof.addr, now, local.config.simultaneous_s)
        self._fin.start(proof.addr, now, first_repeat_s(local.config, self._rtt_s))
        self._send_fin(session)
        if self._slots.current is None:
            self._roaming.settle_among(tuple(initiation.addrs), proof.addr)
            if not was_usable and initiation.mode == Mode.XX:
                self._announce(session, proof.addr)
            self._roaming.follow(proof.addr, len(proof.fin), now)
        return True

    def responded(self, proof: AuthenticatedHandshake, addrs: Sequence[Addr], now: float) -> bool:
        """The peer's FIN was authentic and accepted: both sides hold the session.

        `addrs`: where RESP went; only there the way back is known to work.
        """
        local = self._local
        if not local.incarnations.confirm(proof.key, proof.local_incarnation, proof.addr):
            return False
        if self._slots.is_stale(proof.link, proof.started):
            return False
        session = proof.session(self.number, now)
        local.sessions[session.index] = session
        self._rtt_s = now - proof.sent_at
        self._roaming.settle_among(addrs, proof.addr)
        self._promote(session, proof.addr, now)
        self._roaming.follow(proof.addr, len(proof.fin), now)
        self.confirm(session, proof.addr)
        self._last_received_s = now
        return True

    def confirm(self, session: Session, addr: Addr) -> None:
        """Tell the initiator that its FIN has arrived."""
        self._local.counters.confirms_sent += 1
        self._local.send(session.seal_control(datagrams.CONFIRM_NUMBER, b""), addr)

    # --- arrivals -------------------------------------------------------------------------------

    def packet_received(
        self, session: Session, number: int, size: int, addr: Addr, now: float
    ) -> None:
        """An authentic new DATA."""
        self._last_received_s = now
        roaming = self._roaming
        path = roaming.path
        if session is self._slots.current and path is not None and path.settled == addr:
            if number > roaming.highest:
                roaming.highest = number
                path.addr = path.settled = path.last_validated = addr  # with where it came to
            return
        self._local.changed.add(self.number)
        if session is self._slots.next:
            self._confirmed(session, addr, now)
        roaming.on_received(number, size, addr, now)

    def confirm_received(self, session: Session, addr: Addr, now: float) -> None:
        """The responder says that FIN has arrived."""
        self._last_received_s = now
        if session is self._slots.next:
            self._confirmed(session, addr, now)

    def refusal_received(self, session: Session, payload: bytes, addr: Addr, now: float) -> None:
        """The responder refuses us; only valid on a session that it never confirmed."""
        if session is not self._slots.next:
            return
        self._slots.remove(session)
        self._forget([session])
        self._fin.stop()
        if self._announced is session:
            self._announced = self._link = None
        current = self._slots.current
        if current is not None and current.settled > session.born:
            return  # the peer has accepted us since
        self.hold(now + self._local.config.refused_wait_s)
        self._local.events.append(Refused(self.number, session.key, payload, addr))

    def path_validated(self, token: bytes) -> None:
        """The peer returned a challenge."""
        self._roaming.echo(token)

    # --- time -----------------------------------------------------------------------------------

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        self._expire(now)
        self._repeat_fin(now)
        current = self._slots.current
        if current is not None and not self._renew and now >= current.rekey_at(self._local.config):
            self.rehandshake(now)
        if self._wants_init() and now >= self._cadence.next_at:
            self._send_inits(now)
        self._roaming.handle_timeout(now)

    def next_timeout(self) -> float:
        """Infinity if never."""
        config = self._local.config
        when = min((session.ends_at(config) for session in self._slots.all()), default=_NEVER)
        when = min(when, self._fin.next_at)
        if self._slots.current is not None and not self._renew and not self._fin.running:
            when = min(when, self._slots.current.rekey_at(config))
        if self._wants_init():
            when = min(when, self._cadence.next_at)
        return min(when, self._roaming.next_timeout())

    def status(self, now: float) -> PeerStatus:
        """For people and tests."""
        slots, path, sending = self._slots, self._roaming.path, self._slots.sending
        return PeerStatus(
            dialling=self.dial is not None,
            initiating=self._initiation is not None,
            usable=sending is not None and sending.link == self._link,
            confirmed=slots.current is not None,
            addr=None if path is None else path.addr,
            validated=path is not None and path.validated,
            slots=slots.hashes,
            current_age_s=None if slots.current is None else now - slots.current.born,
            last_received_s=self._last_received_s,
            remote_incarnation=None if self._link is None else self._link[1],
        )

    # --- inside ---------------------------------------------------------------------------------

    def _restart(self, now: float) -> None:
        self._cadence.restart(max(now, self._held_until))

    def _wants_init(self) -> bool:
        if self._fin.running:
            return False
        if self._slots.sending is None:
            return self.dial is not None
        return self._renew

    def _addrs(self) -> list[Addr]:
        """Each from whatever address the kernel chooses, and the present one as it was."""
        typed, found = self.dial.addrs if self.dial else (), self._roaming.addrs()
        bare = dict.fromkeys((host, port) for host, port in (*typed, *found))
        return [*bare, *(addr for addr in found[:1] if local_of(addr))]

    def _send_inits(self, now: float) -> None:
        local = self._local
        initiation = self._initiation
        if initiation is None or now >= initiation.started + local.config.attempt_s:
            self._drop_initiation()
            initiation = self._initiation = Initiation(
                peer=self.number,
                identity=local.identity,
                index=local.draw_index(),
                ephemeral=local.random(32),
                psk=None if self.dial is None or self._proved_psk else self.dial.psk,
                now=now,
            )
            local.initiations[initiation.index] = initiation
        for addr in self._addrs():
            self.send_init(initiation, addr, now)
        first_s = first_repeat_s(local.config, self._rtt_s)
        self._cadence.sent(now, local.random(1)[0], urgent=self._renew, first_s=first_s)

    def send_init(
        self, initiation: Initiation, addr: Addr, now: float, *, has_cookie: bool = False
    ) -> None:
        """INIT to one address, with the cookie got from there."""
        sending = self._slots.sending
        if sending is not None:
            key = mac1_key(sending.key)
        else:
            key = mac1_key(None) if self.dial is None else self.dial.mac1_key
        covered = initiation.covered(addr)
        self._local.initiating.sent(initiation, addr, now, has_cookie=has_cookie)
        self._local.counters.inits_sent += 1
        self._local.send(datagrams.encode_init(covered, mac1(key, covered)), addr)

    def consume_initiation(self, initiation: Initiation) -> None:
        """Its index has become a session's."""
        if initiation is self._initiation:
            self._drop_initiation()

    def _drop_initiation(self) -> None:
        initiation, self._initiation = self._initiation, None
        if initiation is None:
            return
        del self._local.initiations[initiation.index]
        self._local.initiating.drop(initiation)

    def _send_fin(self, session: Session) -> None:
        if self._fin.addr is not None:
            self._local.send(session.fin, self._fin.addr)

    def _repeat_fin(self, now: float) -> None:
        session = self._slots.next
        if session is None or now < self._fin.next_at:
            return
        if self._fin.advance(now):
            self._local.counters.fins_repeated += 1
            self._send_fin(session)
        else:
            self._renew = True
            self._restart(now)

    def _confirmed(self, session: Session, addr: Addr, now: float) -> None:
        if addr == self._fin.addr:
            self._roaming.settle(addr)
        self._fin.stop()
        self._promote(session, addr, now)

    def _promote(self, session: Session, addr: Addr, now: float) -> None:
        self._forget(self._slots.promote(session, self._local.config, now))
        if self._slots.next is None:
            self._fin.stop()
        self._renew = False
        self._drop_initiation()
        if self._slots.current is session and self._announced is not session:
            self._announce(session, addr)

    def _announce(self, session: Session, addr: Addr) -> None:
        rekey = self._link == session.link
        self._link = session.link
        self._announced = session
        self._key = session.key
        self._proved_psk |= session.psk
        if not rekey:
            self._local.unannounced.add(self.number)
            self._roaming.restart_numbers()
        mine, theirs = session.link
        self._local.events.append(
            LinkUp(
                peer=self.number,
                key=session.key,
                local_incarnation=mine,
                remote_incarnation=theirs,
                addr=addr,
                rekey=rekey,
                psk=session.psk,
                rtt_s=self._rtt_s,
            )
        )

    def _forget(self, sessions: Sequence[Session]) -> None:
        for session in sessions:
            del self._local.sessions[session.index]

    def _expire(self, now: float) -> None:
        usable = self._slots.sending is not None
        expired = self._slots.take_expired(self._local.config, now)
        self._forget(expired)
        self._local.counters.expired_sessions += len(expired)
        if self._slots.next is None:
            self._fin.stop()
        if usable and self._slots.sending is None:
            self._renew = False
            self._drop_initiation()
            self._restart(now)
            if self._announced is not None:
                self._announced = None
                self._local.events.append(SessionExpired(self.number))
