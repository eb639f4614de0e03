"""Owns changes of peers: added, named, trusted, invited, merged, removed; durable first.

`Peers` holds them, `Gate` decides about keys; the changes are committed here.
"""

from typing import assert_never

import msgspec

from chatnet_engine.clock import Now
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.people.auto_accept import by_default, with_choice, with_choice_of
from chatnet_engine.node.people.invites import Invite
from chatnet_engine.node.people.inviting import GUEST, Inviting
from chatnet_engine.node.people.known_peers import TRUSTED, KnownPeers
from chatnet_engine.node.people.peers import Meaning, PeerLinks, Peers, Verdict
from chatnet_engine.node.people.written import checked_name, with_block
from chatnet_engine.node.subject import Subject
from chatnet_engine.node.turn import Turn
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.safety_number import safety_number
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.addresses import parse_host, show_address
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import NoticeCode
from chatnet_protocol.ipc.rows import PeerRow, Trust
from chatnet_protocol.limits import MAX_PEERS, MAX_REFUSED_KEYS


class People(Subject):
    """The subject of peers and their keys."""

    def __init__(
        self,
        own_key: bytes,
        peers: Peers,
        known: KnownPeers,
        inviting: Inviting,
        links: PeerLinks,
        turn: Turn,
    ) -> None:
        super().__init__()
        self._own_key = own_key
        self._peers = peers
        self._known = known
        self._inviting = inviting
        self._links = links
        self._turn = turn
        self._asking_now: list[int] = []
        self.commands = {
            cmd.AddPeer: self._add,
            cmd.RemovePeer: self._remove,
            cmd.SetPeer: self._set,
            cmd.TrustPeer: self._trust,
            cmd.MakeInvite: self._make_invite,
        }
        self.results = {c.PeerStored: self._stored, c.PeerForgotten: self._forgotten}

    def start(self, asking_now: list[int]) -> None:
        """What known_peers says of the loaded peers. `asking_now`: see `Loaded`."""
        self._asking_now = asking_now
        for changed in self._known.reconcile(list(self._peers), self._own_key):
            row = by_default(changed)
            self._peers.put(row)
            self._turn.commits.add(c.StorePeer(row))

    def forget_guests(self) -> None:
        """At a start: invites ended with the last engine, and their guests never came."""
        for row in list(self._peers):
            self._forget_guest(row)

    def front_end_attached(self) -> None:
        """Notify it once of a changed default."""
        for row in [row for row in self._peers if row.peer in self._asking_now]:
            self._turn.publisher.publish(ev.notice("info", NoticeCode.ASKS_NOW, peer=row.peer))
            self._turn.commits.add(c.StorePeer(row))
        self._asking_now = []

    # --- commands ---

    def _add(self, command: cmd.AddPeer, reply_to: ReplyTo, now: Now) -> None:
        row = self._row_to_add(command)
        if command.invite:
            self._inviting.enter(row, command.invite, reply_to, now)
        else:
            self._turn.commits.add(c.StorePeer(row), reply_to, context=command)

    def add_typed(self, host: str, port: int) -> None:
        """Know the peer of the three-argument usage. Raises CommandError."""
        self._turn.commits.add(c.StorePeer(self._row_to_add(cmd.AddPeer(host, port))))

    def _row_to_add(self, command: cmd.AddPeer) -> PeerRow:
        """The peer at a typed address; one that is there already only gets a new name."""
        commits = self._turn.commits
        host = parse_host(command.host)
        if not 1 <= command.port <= 65535:
            raise CommandError(ErrorCode.INVALID, "A port is a number from 1 to 65535.")
        name = checked_name(command.name) if command.name else ""
        known = self._peers.typed_at(host, command.port)
        if known:
            return msgspec.structs.replace(known, name=name or known.name)
        if any((host, command.port) == (row.host, row.port) for row in commits.new_peers()):
            raise CommandError(ErrorCode.BUSY, "That address is being added already; try again.")
        self._check_not_full()
        row = PeerRow(0, name or show_address(host, command.port), host, command.port)
        rows = [*self._peers, *self._peers.leaving.values()]
        taken = commits.keys_on_the_way() | {peer.key for peer in rows}
        return self._known.adopt(row, self._own_key, taken)

    def _check_not_full(self) -> None:
        """Those listed and those about to be count alike. Raises CommandError."""
        if len(self._peers) + len(self._turn.commits.new_peers()) >= MAX_PEERS:
            raise CommandError(ErrorCode.BUSY, f"A session holds at most {MAX_PEERS} peers.")

    def _remove(self, command: cmd.RemovePeer, reply_to: ReplyTo, now: Now) -> None:
        self._peers.need(command.peer)
        self._forget(command.peer, reply_to=reply_to)

    def _set(self, command: cmd.SetPeer, reply_to: ReplyTo, now: Now) -> None:
        before = self._peers.need(command.peer)
        moved = self._moved(before, command)
        name = moved.name if command.name is None else checked_name(command.name)
        row = with_choice(msgspec.structs.replace(moved, name=name), command.auto_accept_bytes)
        row = by_default(with_block(row, command.blocked))
        self._peers.put(row)
        self._turn.commits.add(c.StorePeer(row), reply_to)
        if command.host is not None:
            self._links.add(row, now, moved=True)
        if row.blocked and not before.blocked:
            self._links.restart(row.peer, now)

    def _moved(self, row: PeerRow, command: cmd.SetPeer) -> PeerRow:
        """The row with the address that was typed. Raises CommandError."""
        if command.host is None and command.port is None:
            return row
        if command.host is None or command.port is None:
            raise CommandError(ErrorCode.INVALID, "An address is a host and a port.")
        self._peers.need_accepted(row.peer)
        host, port = parse_host(command.host), command.port
        if not 1 <= port <= 65535:
            raise CommandError(ErrorCode.INVALID, "A port is a number from 1 to 65535.")
        owner = self._peers.typed_at(host, port)
        if owner and owner.peer != row.peer:
            raise CommandError(ErrorCode.NOT_ALLOWED, f"That is the address of {owner.name}.")
        name = row.name
        if name == show_address(row.host, row.port):
            name = show_address(host, port)  # it had none but its address
        return msgspec.structs.replace(row, name=name, host=host, port=port)

    def _make_invite(self, command: cmd.MakeInvite, reply_to: ReplyTo, now: Now) -> None:
        if command.peer:
            row = self._peers.need(command.peer)
        else:
            self._check_not_full()
            row = by_default(PeerRow(0, GUEST, "", 0))
        self._inviting.make(row, reply_to, now)

    def _trust(self, command: cmd.TrustPeer, reply_to: ReplyTo, now: Now) -> None:
        row = self._peers.need(command.peer)
        match command.decision:
            case "verified" if row.key and row.trust != Trust.PENDING:
                row = msgspec.structs.replace(row, trust=Trust.VERIFIED)
            case "unverified" if row.key and row.trust in TRUSTED:
                row = msgspec.structs.replace(row, trust=Trust.PINNED)
            case "keep" if command.key and command.key == row.offered_key:
                refused = [*row.refused_keys, command.key][-MAX_REFUSED_KEYS:]
                row = msgspec.structs.replace(row, offered_key=b"", refused_keys=refused)
            case "keep" if command.key in row.refused_keys:
                pass
            case "accept" if row.trust == Trust.PENDING:
                row = msgspec.structs.replace(row, trust=Trust.PINNED)
            case "accept" if row.trust == Trust.INVITED and row.host and not row.key:
                self._inviting.close(row.peer)
                row = msgspec.structs.replace(row, trust=Trust.NONE)
                self._links.restart(row.peer, now)
            case "replace" if command.key and command.key in (row.offered_key, *row.refused_keys):
                self._check_key_is_free(row, command.key)
                row = msgspec.structs.replace(
                    row,
                    key=command.key,
                    offered_key=b"",
                    refused_keys=[key for key in row.refused_keys if key != command.key],
                    trust=Trust.PINNED,
                    safety_number=safety_number(self._own_key, command.key),
                )
                self._known.vouch(row.peer)
                self._links.restart(row.peer, now)
            case "verified" | "unverified" | "accept" | "keep" | "replace":
                raise CommandError(
                    ErrorCode.NOT_ALLOWED, f"{row.name} has no key to which that applies."
                )
            case _:
                raise CommandError(
                    ErrorCode.INVALID,
                    "A decision is 'verified', 'unverified', 'accept', 'keep' or 'replace'.",
                )
        row = by_default(row)
        self._peers.put(row)
        self._turn.commits.add(c.StorePeer(row), reply_to)

    def _check_key_is_free(self, row: PeerRow, key: bytes) -> None:
        """A key belongs to one peer. Raises CommandError when the offered one has an owner."""
        owner = self._peers.by_key(key)
        if owner == row:
            return  # known_peers does not vouch for it any more
        if owner and owner.trust == Trust.PENDING:
            raise CommandError(
                ErrorCode.NOT_ALLOWED,
                f"That key is asking to be accepted as {owner.name}: remove that request first.",
            )
        if owner:
            raise CommandError(
                ErrorCode.NOT_ALLOWED,
                f"That key is {owner.name}'s: {owner.name} answers at the address of {row.name}.",
            )
        if key in self._turn.commits.keys_on_the_way(of_others_than=row.peer):
            raise CommandError(ErrorCode.BUSY, "That key is being stored for a peer; try again.")

    # --- what a key that proved itself changes ---

    def handle_verdict(self, verdict: Verdict, event: secure.Authenticated) -> None:
        """A key showed up that changes who the peers are: remember it."""
        row = self._peers.get(verdict.peer)
        match verdict.meaning:
            case Meaning.PIN | Meaning.MERGE if row:
                if verdict.meaning is Meaning.MERGE:
                    retired = self._peers.get(verdict.retires)
                    row = with_choice_of(row, retired)
                    if retired and retired.host and not row.host:
                        row = msgspec.structs.replace(row, host=retired.host, port=retired.port)
                    self._forget(verdict.retires, verdict.peer)
                self._inviting.close(verdict.peer)
                if row.trust not in TRUSTED or event.invite is not None:
                    row = self._pinned(row, event)
                self.remember(by_default(row))
            case Meaning.KEY_CHANGED if row and event.key not in (
                row.offered_key, *row.refused_keys,
            ):  # fmt: skip
                self.remember(msgspec.structs.replace(row, offered_key=event.key))
            case Meaning.STRANGER if event.key not in self._peers.strangers:
                self._meet_stranger(event)
            case (
                Meaning.KNOWN | Meaning.PENDING | Meaning.UNPROVEN | Meaning.UNINVITED
                | Meaning.OURSELVES | Meaning.PIN | Meaning.MERGE | Meaning.KEY_CHANGED
                | Meaning.STRANGER | Meaning.BLOCKED
            ):  # fmt: skip
                pass  # nothing changes: known ones, and those refused with a reason
            case _:
                assert_never(verdict.meaning)

    def _pinned(self, row: PeerRow, event: secure.Authenticated) -> PeerRow:
        name = row.name
        if event.invite is not None and row.name == GUEST:
            name = show_address(event.addr[0], event.port)
        return msgspec.structs.replace(
            row,
            name=name,
            key=event.key,
            trust=Trust.PINNED if event.invite is None else Trust.VERIFIED,
            safety_number=safety_number(self._own_key, event.key),
        )

    def _meet_stranger(self, event: secure.Authenticated) -> None:
        if event.key in self._turn.commits.keys_on_the_way():
            return  # no stranger: it will call again when it is in the list
        name = show_address(event.addr[0], event.port)
        stranger = PeerRow(
            peer=0,
            name=name,
            host="",
            port=0,
            key=event.key,
            trust=Trust.PENDING,
            address=name,
            safety_number=safety_number(self._own_key, event.key),
        )
        self._turn.commits.add(c.StorePeer(by_default(stranger)))
        self._peers.strangers.add(event.key)

    # --- rows ---

    def remember(self, row: PeerRow) -> None:
        """Know something new about a peer that is listed, and store it.

        While a stranger of the same key is about to be stored nothing is stored: both become one
        when that one is there, with the row as it then is.
        """
        if self._peers.get(row.peer) is None:
            return
        self._peers.put(row)
        if row.key not in self._peers.strangers:
            self._turn.commits.add(c.StorePeer(row))

    def peer_named(self, peer: int, display_name: str) -> None:
        """What a peer calls itself is committed."""
        row, shown = self._peers.get(peer), self._turn.publisher.view.peer(peer)
        if row and shown and display_name != shown.info.display_name:
            self._peers.put(msgspec.structs.replace(row, display_name=display_name))
            committed = msgspec.structs.replace(shown.info, display_name=display_name)
            self._turn.publisher.publish(ev.PeerChanged(committed))

    def _forget(self, peer: int, into: int = 0, reply_to: ReplyTo | None = None) -> None:
        """Have a peer removed, or merged `into` another: from now on it is gone here."""
        self._peers.retire(peer)
        self._links.remove(peer)
        self._inviting.close(peer)
        self._turn.commits.add(c.ForgetPeer(peer, into), reply_to)

    def _forget_guest(self, row: PeerRow | None) -> None:
        if row and row.trust == Trust.INVITED and not row.key and not row.host:
            self._forget(row.peer)

    # --- what the ledger answers ---

    def _stored(self, result: c.PeerStored, waiting: Waiting, now: Now) -> None:
        row, turn, context = result.row, self._turn, waiting.context
        assert isinstance(waiting.op, c.StorePeer)
        self._peers.strangers.discard(waiting.op.row.key)
        if result.refused:
            self._refused(waiting.op.row.peer, result, waiting.reply_to, now)
            return
        owner = self._peers.by_key(row.key) if row.trust == Trust.PENDING else None
        if owner and owner.peer != row.peer:
            # A stranger that was pinned as a typed peer while its row was being stored.
            turn.commits.add(c.ForgetPeer(row.peer, owner.peer))
            turn.commits.add(c.StorePeer(owner))
            return
        is_new = turn.publisher.view.peer(row.peer) is None
        older = turn.commits.changes_peer(row.peer) or self._peers.waits_for_stranger(row.peer)
        if row.peer not in self._peers.leaving and not older:
            self._peers.put(row)
        turn.publisher.publish(ev.PeerChanged(row))
        for subject in self.subjects:
            subject.peer_stored(result, now)
        if is_new and row.trust == Trust.PENDING:
            turn.publisher.publish(ev.notice("info", NoticeCode.PEER_PENDING, peer=row.peer))
        if listed := self._peers.get(row.peer):
            self._links.add(listed, now)
        if isinstance(context, Invite) and self._inviting.handle_stored(context, row):
            return
        added = isinstance(context, cmd.AddPeer | Invite)
        turn.replies.reply(waiting.reply_to, cmd.PeerAdded(row.peer) if added else cmd.Done())

    def _refused(self, peer: int, result: c.PeerStored, reply_to: ReplyTo | None, now: Now) -> None:
        """The peer was removed meanwhile, or another one has the key."""
        if peer == result.refused:
            error = CommandError(
                ErrorCode.UNKNOWN_PEER, f"Peer {peer} is not in this session any more."
            )
        else:
            error = CommandError(ErrorCode.NOT_ALLOWED, f"That key is {result.row.name}'s.")
            self._take_back_changes(peer, now)
        self._turn.replies.fail(reply_to, error)

    def _forgotten(self, result: c.PeerForgotten, waiting: Waiting, now: Now) -> None:
        self._links.remove(result.peer)
        self._peers.remove(result.peer)
        self._turn.publisher.publish(ev.PeerRemoved(result.peer, result.into, result.rows))
        for subject in self.subjects:
            subject.peer_removed(result, now)
        self._turn.replies.reply(waiting.reply_to, cmd.Done())

    def handle_dropped(self, op: c.Op, now: Now) -> None:
        """An operation was not committed, and is not tried again."""
        match op:
            case c.ForgetPeer(peer=peer):
                if row := self._peers.take_back(peer):
                    self._links.add(row, now)
            case c.StorePeer(row=row) if row.peer:
                self._take_back_changes(row.peer, now)
            case _:
                pass

    def _take_back_changes(self, peer: int, now: Now) -> None:
        """A peer is as it was committed last, and its link begins anew on that."""
        shown = self._turn.publisher.view.peer(peer)
        if shown and peer in self._peers.leaving:
            self._peers.leaving[peer] = shown.info  # its removal may come to nothing as well
        elif shown and self._peers.get(peer):
            self._peers.put(shown.info)
            self._links.restart(peer, now)
            self._links.add(shown.info, now, moved=True)
            self._links.add(shown.info, now)

    # --- time ---

    def handle_timeout(self, now: Now) -> None:
        """Invites that nobody used end; guests that never came are forgotten."""
        for peer in self._inviting.take_expired(now):
            self._links.restart(peer, now)
            self._forget_guest(self._peers.get(peer))

    def next_timeout(self) -> float | None:
        """When the first invite expires."""
        return self._inviting.next_timeout()
