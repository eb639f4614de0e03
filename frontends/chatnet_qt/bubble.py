"""One message with all that its drawing depends on, and how a screen reader says it. Pure."""

from msgspec import Struct

from chatnet_client.mirror import NO_PROGRESS, Progress
from chatnet_client.words.offers import offer_words, row_words
from chatnet_client.words.states import state_sentence
from chatnet_client.words.transfers import compared_share
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import Offer, decode_offer
from chatnet_protocol.ipc.reasons import MessageFailure
from chatnet_protocol.ipc.rows import MessageRow, TransferRow
from chatnet_qt.wording import (
    clock_words,
    not_sent_words,
    shown_name,
    transfer_words,
)


class Quote(Struct, frozen=True):
    """What stands above a message that answers another. `author` is empty when that one is not
    here, or not looked up yet."""

    message_id: bytes
    author: str
    text: str


class Bubble(Struct, frozen=True):
    """One message with all that its drawing depends on."""

    row: MessageRow
    text: str
    state: str
    day: str
    """The day separator above it; empty if the day is that of the row before."""
    is_first_new: bool
    """Whether the "new messages" line stands above it."""
    starts_group: bool
    ends_group: bool
    author: str
    peer_name: str = ""
    offer: Offer | None = None
    transfer: TransferRow | None = None
    progress: Progress = NO_PROGRESS
    is_kept: bool = False
    """A text that is in this window alone."""
    is_last: bool = False
    """Whether nothing stands below it."""
    is_last_own: bool = False
    """The newest message of all, and ours: its state is written below it."""
    new_count: int = 0
    """How many messages are new, below the line above it."""
    picture: tuple[int, int] | None = None
    """Width and height of the picture that arrived, if there is one to be shown."""
    quote: Quote | None = None
    """The message that it answers."""
    free_px: int = 0
    """Kept free above it, for what lies over the beginning of the conversation."""

    @property
    def went_wrong(self) -> bool:
        """Whether it was not sent although nobody wanted that."""
        return bool(self.row.failed) and self.row.failed != MessageFailure.WITHDRAWN


def offer_of(row: MessageRow) -> Offer:
    """The files a message offers; an unreadable one is shown as an offer of a nameless file."""
    try:
        return decode_offer(row.body)
    except DecodeError:
        return Offer(files=[])


def share_of(bubble: Bubble) -> float:
    """How much of a transfer is done, or of the comparison that goes before it, from 0 to 1."""
    transfer = bubble.transfer
    assert transfer is not None
    if transfer.compared is not None:
        return compared_share(transfer.compared)
    return bubble.progress.done_bytes / transfer.size_bytes if transfer.size_bytes else 1.0


def spoken(bubble: Bubble) -> str:
    """A message as a screen reader says it: author, time, content, how far it has come."""
    row = bubble.row
    what = bubble.text if bubble.offer is None else spoken_offer(bubble)
    if row.mine:
        ack = f", ACK {row.ack}" if row.ack else ""
        sentence = state_sentence(bubble.state, bubble.peer_name)
        end = not_sent_words(row) if row.failed else f"{sentence}{ack}"
    else:
        end = f"ACK {row.ack} from {row.source}"
    new = ". New" if bubble.is_first_new else ""
    answers = f" answers {spoken_quote(bubble.quote)}" if bubble.quote else ""
    stop = "" if what.endswith((".", "!", "?", "…")) else "."
    return f"{bubble.author}, {clock_words(row.sent_ms)}{answers}: {what}{stop} {end}{new}"


def spoken_quote(quote: Quote) -> str:
    """The message that another answers, as one says it."""
    return f"{quote.author}, {quote.text}" if quote.author else quote.text


def spoken_offer(bubble: Bubble) -> str:
    """What is offered, and how far its bytes have come."""
    assert bubble.offer is not None
    transfer = bubble.transfer
    if transfer is None:
        what = offer_words(bubble.offer, shown_name)
    else:
        what = row_words(transfer, shown_name)
    if len(bubble.offer.files) == 1 and len(bubble.offer.files[0].path) == 1:
        what = f"file {what}"
    if transfer is None:
        return what
    share = f", {share_of(bubble):.0%}" if transfer.size_bytes else ""
    moving = transfer.state in ("active", "paused", "waiting")
    words = transfer_words(transfer, bubble.peer_name, bubble.state not in ("queued", "sent"))
    return f"{what}, {words}{share if moving else ''}"
