"""All transfers of a session: who gets which input, what is stored, which one may start next.

Knows no sockets and no files: the file process does what it is asked, and reports. Control
messages are volatile per link, so after each new link every transfer that has not ended says
where it stands.
"""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from chatnet_engine.addresses import Addr
from chatnet_engine.clock import Now
from chatnet_engine.deadlines import earliest
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.detail import Detail, Listing, arrived, decode_detail
from chatnet_engine.files.lookups import Lookups, answer_unknown
from chatnet_engine.files.offering import FailedOffer, Offering, check_same
from chatnet_engine.files.phases import Act
from chatnet_engine.files.quota import Quota
from chatnet_engine.files.receiving import Receiving
from chatnet_engine.files.sending import Sending
from chatnet_engine.files.space_wire import Surveyed
from chatnet_engine.files.transfer import Transfer
from chatnet_engine.files.update_table import UpdateTable
from chatnet_engine.files.updating import Updating
from chatnet_engine.store_ops.commit import AutomaticUse, StoredTransfer
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode, RemoteProtocolError
from chatnet_protocol.ipc.rows import MessageRow, TransferRow
from chatnet_protocol.limits import MAX_OPEN_OFFERS
from chatnet_protocol.wire import control as ct

__all__ = ["Act", "FailedOffer", "Transfers"]


class Transfers(UpdateTable):
    """Owner of every transfer that has not ended, and of the newest ended ones."""

    def __init__(
        self,
        *,
        loaded: list[StoredTransfer],
        automatic: Sequence[AutomaticUse] = (),
        random: Callable[[int], bytes],
        inbox: str,
        now: float,
        contain: bool = False,
    ) -> None:
        self._random = random
        super().__init__(Quota(automatic), inbox, contain=contain)
        self.offering = Offering(self._out)
        """Offers that are no transfers yet; its `take` gives those that can be sent."""
        self._unstated: set[int] = set()
        """Peers on whose new link the state of their transfers has not been sent yet."""
        self.lookups = Lookups()
        """Its `take` gives ids of transfers that are wanted from the store."""
        self.unreadable: dict[bytes, str] = {}
        """Stored transfers that no version of ours could have written, with the reason."""
        for stored in loaded:
            self._load(stored)

    # --- commands ---

    def offer(
        self,
        transfer_id: bytes,
        peer: int,
        paths: list[str],
        at: Now,
        update: bool = False,
    ) -> None:
        """Prepare an offer; the result comes by `offering.take`. Harmless to repeat.

        Raises CommandError when that id is another message.
        """
        known = self._all.get(transfer_id)
        if known is not None:
            check_same(known.peer, known.listing.roots, peer, paths)
            self.offering.repeat(transfer_id, known.peer, known.listing.offer)
        else:
            self.offering.offer(transfer_id, peer, paths, at, update)

    def accept(self, transfer_id: bytes, folder: str, at: Now) -> None:
        """Take the files, into `folder` or the inbox, also once more. Raises CommandError."""
        self._incoming(transfer_id).accept(folder or self.inbox, at)
        self._after(self._all[transfer_id], at)

    def act(self, transfer_id: bytes, act: Act, at: Now) -> None:
        """Do what else people can do to a transfer. Raises CommandError."""
        transfer = self._known(transfer_id)
        match act:
            case Act.REJECT:
                self._incoming(transfer_id).reject(at)
            case Act.PAUSE:
                transfer.pause(at)
            case Act.RESUME:
                transfer.resume(at)
            case Act.CANCEL:
                transfer.cancel(at)
        self._after(transfer, at)

    # --- what became durable ---

    def handle_own_offer(self, row: MessageRow, peer: int, at: Now) -> TransferRow | None:
        """Our OFFER message was committed as `row`, and its transfer with it; None if known."""
        listed = self.offering.pop_listed(row.id)
        if listed is None or listed.store is None or row.id in self._all:
            return None
        stored = msgspec.structs.replace(
            listed.store.row, no=row.no, peer=peer, changed_ms=at.wall_ms
        )
        detail, listing = decode_detail(listed.store.detail, listed.store.listing)
        added = self._add_new(stored, detail, listing, at, row.seq)
        added.listing_stored = True
        return stored

    def handle_peer_offer(
        self,
        row: MessageRow,
        peer: int,
        *,
        key: bytes,
        auto_accept_bytes: int,
        verified: bool,
        at: Now,
    ) -> None:
        """The peer's OFFER message was committed as `row`. Raises DecodeError.

        It is accepted automatically up to `auto_accept_bytes`, while the key's quota lasts.
        """
        if row.id in self._all:
            return
        waiting = len(self._offered.get(peer, ()))
        transfer = self._add_new(*arrived(row, peer, at.wall_ms), at)
        assert isinstance(transfer, Receiving)
        offer = transfer.offer
        if waiting >= MAX_OPEN_OFFERS:
            transfer.refuse_one_more(at)
        elif why := self._quota.why_ask(
            row.id, key, offer, at, verified=verified, allowed_bytes=auto_accept_bytes
        ):
            transfer.ask(why, at)
        else:
            transfer.accept(self.inbox, at)
        self._after(transfer, at)

    def handle_stored(self, row: TransferRow, at: Now) -> None:
        """What `take_stores` gave for this transfer is committed."""
        self._storing.over(row.id)
        transfer = self._all.get(row.id)
        if transfer is not None:
            transfer.handle_stored(at)
            self._after(transfer, at)

    def handle_loaded(self, ids: list[bytes], found: list[StoredTransfer], at: Now) -> None:
        """The store's answer about ids of `lookups`, or of any others."""
        for stored in found:
            row = stored.row
            if row.id not in self._all:
                self._guarded(row.id, row.peer, partial(self._load_late, stored, at))
        for transfer_id in ids:
            for peer, control in self.lookups.pop(transfer_id):
                act = partial(self._handle_late_control, peer, control, at)
                self._guarded(transfer_id, peer, act)

    def handle_delivered(self, peer: int, delivered_seq: int, at: Now) -> None:
        """The peer has committed our messages up to this number."""
        for offer in list(self._undelivered.values()):
            if offer.peer == peer and offer.waiting_seq <= delivered_seq:
                del self._undelivered[offer.id]
                offer.handle_delivered()
                self._after(offer, at)

    # --- the peer, the link, the file process ---

    def handle_control(self, peer: int, body: bytes, at: Now) -> None:
        """A message of channel 1. Raises DecodeError or RemoteProtocolError."""
        control = ct.decode_control(body)
        if control.id in self._all:
            self._handle_control(peer, control, at)
        else:
            self.lookups.wait(peer, control)

    def handle_link(
        self,
        peer: int,
        up: bool,
        addrs: Sequence[Addr],
        *,
        incarnation: int,
        fast_aes: bool,
        at: Now,
    ) -> None:
        """The link is new, or down. `addrs`: where the peer's listener may be. `incarnation`: the
        peer's; another one may have another history."""
        link = self._link(peer)
        self._unstated.discard(peer)
        if not up:
            link.up = False
            self._out.bulk.handle_link_down(peer)
            return
        link.came_up(addrs, incarnation, ct.Suite.AESGCM if fast_aes else ct.Suite.CHACHA)
        self._state_all(peer, at)

    def handle_peer_forgotten(self, peer: int, into: int, seq_offset: int, at: Now) -> None:
        """The peer was removed, or turned out to be the peer `into` (0: no other), where its own
        messages count on from `seq_offset`."""
        self.lookups.forget(peer)
        for transfer in [one for one in self._all.values() if one.peer == peer]:
            if into:
                transfer.move_to(into, self._link(into), at)
                if transfer.id in self._undelivered:
                    self._undelivered[transfer.id].waiting_seq += seq_offset
            elif not transfer.ended:
                transfer.end_removed(at)
            self._after(transfer, at)
        self._links.pop(peer, None)
        self._offered.pop(peer, None)
        self._unstated.discard(peer)

    def handle_process(self, frame: bytes, at: Now) -> None:
        """A report of the file process."""
        report = pw.decode_report(frame)
        match report:
            case pw.Listening():
                self._handle_ready(report, at)
            case pw.Scanning():
                self.offering.handle_scanning(report, at)
            case pw.Scanned():
                self.offering.handle_scanned(report)
            case pw.BulkOut() | pw.BulkTaken():
                self._out.bulk.handle_report(report, at.mono_s)
            case Surveyed():
                self.surveys.handle_surveyed(report)
            case _:
                transfer = self._subject(report)
                if transfer is not None:
                    self._do(transfer, partial(transfer.handle_report, report, at), at)

    def handle_lost_report(self, frame: bytes) -> list[bytes] | None:
        """A report could not be handled: the transfers that are to be read again for it; None: it
        was `Listening`, without which nothing goes on."""
        report = pw.decode_report(frame)
        match report:
            case pw.Listening():
                return None
            case pw.Scanning():
                return []
            case pw.Scanned():
                self.offering.handle_lost(report.id)
                return []
            case Surveyed():
                self.surveys.handle_lost()
                return []
            case _:
                transfer = self._subject(report)
                return [transfer.id] if transfer is not None else []

    def handle_process_restarted(self, at: Now) -> None:
        """The file process died; the new one says `Listening` when it can be asked."""
        self._out.ready = False
        self._out.port = 0
        self._out.frames.clear()
        self._out.bulk.handle_process_restarted()
        self.surveys.handle_lost()
        for transfer in self._schedule.working():
            self._do(transfer, partial(transfer.handle_job_lost, at), at)

    def handle_timeout(self, at: Now) -> None:
        """Time has passed; harmless when nothing is due."""
        self.offering.handle_timeout(at)
        for peer in list(self._unstated):
            self._state_all(peer, at)
        for _ in range(self._schedule.waiting):
            due = self._schedule.first_due(at.mono_s)
            if due is None:
                break
            self._do(due, partial(self._schedule.begin, due), at)

    # --- outputs ---

    @property
    def has_outputs(self) -> bool:
        """Whether any `take_*` gives something, those of process frames and gauges aside."""
        out = self._out
        return bool(
            self._changed
            or out.controls
            or out.searches
            or out.bulk.waits
            or self.offering.waits
            or self.surveys.waits
            or self.lookups.waits
        )

    def take_controls(self) -> list[tuple[int, bytes]]:
        """(peer, body) for channel 1; dropped when that link is not up."""
        controls, self._out.controls = self._out.controls, []
        return [waiting for waiting in controls if self._link(waiting[0]).up]

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout` next."""
        dues = [self._schedule.next_timeout(), self.offering.next_timeout()]
        dues += [self._links[peer].next_statement_s for peer in self._unstated]
        return earliest(dues)

    # --- inside ---

    def _load(self, stored: StoredTransfer) -> None:
        try:
            detail, listing = decode_detail(stored.detail, stored.listing)
            transfer = self._add(stored.row, detail, listing, stored.waiting_seq)
            transfer.listing_stored = bool(stored.listing)
        except (msgspec.MsgspecError, DecodeError, ValueError, TypeError, LookupError) as error:
            self.unreadable[stored.row.id] = f"{type(error).__name__}: {error}"

    def _handle_control(self, peer: int, control: ct.Control, at: Now) -> None:
        transfer = self._all.get(control.id)
        if transfer is not None and transfer.peer == peer:
            transfer.handle_control(control, at)
            self._after(transfer, at)
        elif (answer := answer_unknown(control)) is not None:
            self._out.say(peer, answer)

    def _load_late(self, stored: StoredTransfer, at: Now) -> None:
        self._load(stored)
        loaded = self._open.get(stored.row.id)
        if loaded is None:
            return
        if self._out.ready:
            loaded.handle_ready(at)
        if self._link(loaded.peer).up:
            loaded.handle_link_up(at)
        self._after(loaded, at)

    def _handle_late_control(self, peer: int, control: ct.Control, at: Now) -> None:
        with contextlib.suppress(RemoteProtocolError):  # that link may be gone by now
            self._handle_control(peer, control, at)

    def _state(self, transfer: Transfer, is_other: bool, at: Now) -> None:
        transfer.handle_link_up(at, is_other)
        if not transfer.ended:
            self._after(transfer, at)

    def _add(
        self, row: TransferRow, detail: Detail, listing: Listing, waiting_seq: int = 0
    ) -> Transfer:
        side = Sending if row.mine else Updating if row.update else Receiving
        transfer = side(row, detail, listing, self._link(row.peer), self._out, self._random)
        if isinstance(transfer, Sending) and waiting_seq:
            transfer.waiting_seq = waiting_seq
            self._undelivered[row.id] = transfer
        self._all[row.id] = transfer
        self._file(transfer)
        return transfer

    def _add_new(
        self,
        row: TransferRow,
        detail: Detail,
        listing: Listing,
        at: Now,
        waiting_seq: int = 0,
    ) -> Transfer:
        transfer = self._add(row, detail, listing, waiting_seq)
        transfer.handle_new(at)
        self._after(transfer, at)
        return transfer

    def _state_all(self, peer: int, at: Now) -> None:
        """Say on the new link where every transfer stands, now or soon."""
        link = self._link(peer)
        self._unstated.add(peer)
        if not link.may_state(at.mono_s):
            return
        for transfer in [one for one in self._all.values() if one.peer == peer]:
            self._guarded(transfer.id, peer, partial(self._state, transfer, link.is_other, at))
        self._unstated.discard(peer)
        link.is_other = False

    def _incoming(self, transfer_id: bytes) -> Receiving:
        transfer = self._known(transfer_id)
        if not isinstance(transfer, Receiving):
            raise CommandError(
                ErrorCode.NOT_ALLOWED, "This is your own offer; the other side answers it."
            )
        return transfer

    def _handle_ready(self, report: pw.Listening, at: Now) -> None:
        self._out.handle_listening(report)
        self.offering.handle_ready()
        for transfer in list(self._open.values()):
            if not transfer.ended:
                self._do(transfer, partial(transfer.handle_ready, at), at)
