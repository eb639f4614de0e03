"""Decides on every authenticated key, and answers the secure endpoint.

What a verdict changes about peers waits here to be committed; what front ends show of it is
the business of the links.
"""

from typing import assert_never

import msgspec

from chatnet_engine.clock import Now
from chatnet_engine.node.people.peers import MAX_PENDING_PEERS, Meaning, Peers, TypedAt, Verdict
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.trace import Code, Kind, Tracer
from chatnet_protocol.errors import CloseCode
from chatnet_protocol.ipc.rows import PeerRow
from chatnet_protocol.wire.frames import encode_close


class Gate:
    """Trust decisions about authenticated keys."""

    def __init__(self, endpoint: Endpoint, peers: Peers, trace: Tracer | None = None) -> None:
        self._trace = trace or Tracer()
        self._endpoint = endpoint
        self._peers = peers
        self._verdicts: list[tuple[Verdict, secure.Authenticated]] = []
        self._begun = 0
        self._former: list[PeerRow] = []
        """Rows as they were before `begin`."""

    def answer(
        self,
        event: secure.Authenticated,
        typed_at: TypedAt,
        blocked: set[int],
        now: Now,
    ) -> Verdict:
        """Accept or refuse a key.

        `blocked`: peers that are on hold.
        """
        hint = event.peer_hint
        invited = self._peers.get(event.invite or 0)
        if banned := self._peers.judge_blocked(event.key):
            verdict = banned
        elif invited and not invited.key:
            verdict = self._peers.judge_invited(invited.peer, event.key)
        elif event.initiator and hint is not None and self._peers.get(hint):
            verdict = self._peers.judge_dialled(hint, event.key)
        else:
            verdict = self._peers.judge_caller(event.key, event.addr, event.port, typed_at)
        match verdict.meaning:
            case Meaning.KNOWN if verdict.peer in blocked:
                self._refuse(event, verdict, CloseCode.REFUSED, now)
            case Meaning.KNOWN | Meaning.PIN | Meaning.MERGE | Meaning.UNPROVEN:
                if not self._endpoint.accept(event.attempt, verdict.peer, now.mono_s):
                    return verdict  # it comes again: an invite must be good until then
                if verdict.meaning is not Meaning.KNOWN:
                    meaning = Code(verdict.meaning.name.lower())
                    self._trace.add(
                        verdict.peer, Kind.KEY_ACCEPTED, meaning=meaning, address=event.addr
                    )
            case Meaning.STRANGER | Meaning.PENDING | Meaning.UNINVITED:
                self._refuse(event, verdict, CloseCode.PENDING, now)
            case Meaning.KEY_CHANGED | Meaning.OURSELVES:
                self._refuse(event, verdict, CloseCode.REFUSED, now)
            case Meaning.BLOCKED:
                self._trace_refusal(event, verdict, CloseCode.NONE)
                self._endpoint.refuse(event.attempt, b"", now.mono_s)
            case _:
                assert_never(verdict.meaning)
        full = verdict.meaning is Meaning.STRANGER and self._peers.pending >= MAX_PENDING_PEERS
        if verdict.meaning not in (Meaning.KNOWN, Meaning.UNPROVEN, Meaning.BLOCKED) and not full:
            self._keep(verdict, event)
        return verdict

    def proves(self, event: secure.LinkUp) -> bool:
        """Whether this link is with whom it should be: the dial of an invited peer must have
        shown that the other side knows the invite, which pins its key."""
        row = self._peers.get(event.peer)
        if row is None or row.key:
            return True
        if not event.psk or self._peers.judge_blocked(event.key):
            return False
        verdict = self._peers.judge_invited(row.peer, event.key)
        if verdict.peer != row.peer or verdict.meaning not in (Meaning.PIN, Meaning.MERGE):
            return False
        proof = secure.Authenticated(
            attempt=0,
            key=event.key,
            incarnation=event.remote_incarnation,
            port=event.addr[1],
            addr=event.addr,
            initiator=True,
            peer_hint=row.peer,
            invite=row.peer,
        )
        self._keep(verdict, proof)
        return True

    def begin(self) -> None:
        """An event of the endpoint is handled: what `roll_back` takes back begins here."""
        self._begun = len(self._verdicts)
        self._former.clear()

    def roll_back(self) -> set[int]:
        """Take back what was decided since `begin`; the peers that it was about."""
        gone = self._verdicts[self._begun :]
        del self._verdicts[self._begun :]
        for row in self._former:
            self._peers.put(row)
        return {verdict.peer for verdict, _ in gone}

    def _keep(self, verdict: Verdict, event: secure.Authenticated) -> None:
        row = self._peers.get(verdict.peer)
        if verdict.meaning in (Meaning.PIN, Meaning.MERGE) and row and not row.key:
            # Taken from now on: a second key in the same turn is another one.
            self._former.append(row)
            self._peers.put(msgspec.structs.replace(row, key=event.key))
        self._verdicts.append((verdict, event))

    def take_verdicts(self) -> list[tuple[Verdict, secure.Authenticated]]:
        """Decisions about keys that change who the peers are."""
        out, self._verdicts = self._verdicts, []
        return out

    def _refuse(
        self, event: secure.Authenticated, verdict: Verdict, code: CloseCode, now: Now
    ) -> None:
        self._trace_refusal(event, verdict, code)
        self._endpoint.refuse(event.attempt, encode_close(code, ""), now.mono_s)

    def _trace_refusal(
        self, event: secure.Authenticated, verdict: Verdict, code: CloseCode
    ) -> None:
        meaning = Code(verdict.meaning.name.lower())
        self._trace.add(
            verdict.peer, Kind.HANDSHAKE_REFUSED, meaning=meaning, code=code, address=event.addr
        )
