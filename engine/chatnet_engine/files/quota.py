"""Owns what each key's files took without a question, and so whether the next offer may.

The counters are durable and belong to a key: nothing that a peer does makes them smaller, and
neither does removing and adding it again. They start over with each day of this machine's clock.
"""

from collections.abc import Sequence

from chatnet_engine.clock import Now
from chatnet_engine.store_ops.transfers import AutomaticUse
from chatnet_protocol.ipc.offer import Offer
from chatnet_protocol.ipc.reasons import Reason, TransferReason, reason
from chatnet_protocol.limits import (
    MAX_AUTOMATIC_BYTES_A_DAY,
    MAX_AUTOMATIC_FILES_A_DAY,
)

DAY_MS = 24 * 3600 * 1000


class Quota:
    """The use of every key that has any."""

    def __init__(self, loaded: Sequence[AutomaticUse]) -> None:
        self._uses = {use.key: use for use in loaded}
        self._unstored: dict[bytes, AutomaticUse] = {}
        """What each transfer took, until that is handed to the store with it."""

    def take(
        self,
        transfer_id: bytes,
        key: bytes,
        offer: Offer,
        at: Now,
        *,
        verified: bool,
        allowed_bytes: int,
    ) -> bool:
        """Whether the offer may be taken without a question; if so, it counts.

        What a verified peer sends counts as well, and is not limited by it. `allowed_bytes`: what
        one offer may have; a person who allows more than the quota of a day means it.
        """
        use = self._use_with(key, offer, at)
        most_bytes = max(MAX_AUTOMATIC_BYTES_A_DAY, allowed_bytes)
        fits = use.size_bytes <= most_bytes and use.files <= MAX_AUTOMATIC_FILES_A_DAY
        if not (verified or fits):
            return False
        self._uses[key] = use
        self._unstored[transfer_id] = AutomaticUse(key, use.day, offer.size_bytes, offer.entries)
        return True

    def why_ask(
        self,
        transfer_id: bytes,
        key: bytes,
        offer: Offer,
        at: Now,
        *,
        verified: bool,
        allowed_bytes: int,
    ) -> Reason | None:
        """Why somebody has to be asked about the offer; None: it is taken as `take` does."""
        if allowed_bytes <= 0:
            return reason(TransferReason.ASKS_ALWAYS)
        if offer.size_bytes > allowed_bytes:
            return reason(TransferReason.ASKS_SIZE, allowed_bytes)
        if self.take(transfer_id, key, offer, at, verified=verified, allowed_bytes=allowed_bytes):
            return None
        if self._use_with(key, offer, at).files > MAX_AUTOMATIC_FILES_A_DAY:
            return reason(TransferReason.ASKS_FILES_A_DAY, MAX_AUTOMATIC_FILES_A_DAY)
        most_bytes = max(MAX_AUTOMATIC_BYTES_A_DAY, allowed_bytes)
        return reason(TransferReason.ASKS_BYTES_A_DAY, most_bytes)

    def _use_with(self, key: bytes, offer: Offer, at: Now) -> AutomaticUse:
        """Today's use of the key, if this offer were taken."""
        day = at.wall_ms // DAY_MS
        use = self._uses.get(key)
        if use is None or use.day != day:
            use = AutomaticUse(key, day, 0, 0)
        return AutomaticUse(key, day, use.size_bytes + offer.size_bytes, use.files + offer.entries)

    def pop_use(self, transfer_id: bytes) -> AutomaticUse | None:
        """What this transfer took, to be stored with it; once."""
        return self._unstored.pop(transfer_id, None)

    def forget(self, transfer_id: bytes) -> None:
        """This transfer is not in memory any more: what it took counts only if it is stored."""
        if (use := self._unstored.pop(transfer_id, None)) is not None:
            self.give_back(use)

    def give_back(self, use: AutomaticUse) -> None:
        """It was not stored, and will not be."""
        now = self._uses.get(use.key)
        if now is not None and now.day == use.day:
            size_bytes, files = now.size_bytes - use.size_bytes, now.files - use.files
            self._uses[use.key] = AutomaticUse(use.key, use.day, size_bytes, files)
