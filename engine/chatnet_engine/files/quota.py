"""Owns what each key's files took without a question, and so whether the next offer may.

The counters are durable and belong to a key: nothing that a peer does makes them smaller, and
neither does removing and adding it again. They start over with each day of this machine's clock.
"""

from collections.abc import Sequence

from chatnet_engine.files.outputs import Moment
from chatnet_protocol.ipc.offer import Offer
from chatnet_protocol.limits import (
    MAX_AUTOMATIC_BYTES_A_DAY,
    MAX_AUTOMATIC_FILES_A_DAY,
)
from chatnet_protocol.transfer_ops import AutomaticUse

DAY_MS = 24 * 3600 * 1000


class Quota:
    """The use of every key that has any."""

    def __init__(self, loaded: Sequence[AutomaticUse]) -> None:
        self._uses = {use.key: use for use in loaded}

    def take(self, key: bytes, offer: Offer, verified: bool, at: Moment) -> AutomaticUse | None:
        """The new use, to be stored with the accepted transfer; None: people have to be asked.

        What a verified peer sends counts as well, and is not limited by it.
        """
        day = at.wall_ms // DAY_MS
        use = self._uses.get(key)
        if use is None or use.day != day:
            use = AutomaticUse(key, day, 0, 0)
        use = AutomaticUse(
            key, day, use.size_bytes + offer.size_bytes, use.files + len(offer.files)
        )
        fits = (
            use.size_bytes <= MAX_AUTOMATIC_BYTES_A_DAY and use.files <= MAX_AUTOMATIC_FILES_A_DAY
        )
        if not (verified or fits):
            return None
        self._uses[key] = use
        return use
