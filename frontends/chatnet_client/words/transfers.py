"""Where a transfer stands, and why: the only place with these sentences. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from chatnet_client.words import is_record, size_words
from chatnet_client.words.sentences import Sentence, sentence_of
from chatnet_protocol.ipc.reasons import Reason, TransferReason
from chatnet_protocol.ipc.rows import Compared, TransferRow, TransferState


def _no_space(_name: str, reason: Reason) -> str:
    size = reason.param(1)
    megabytes = f"{-(-int(size) // 1_000_000):,} MB" if size.isdecimal() else size
    return f"Not enough space in {reason.param(0)}: {megabytes} more are needed."


def _over_size(name: str, reason: Reason) -> str:
    return f"Larger than the {_size(reason)} of {name} that arrive without a question."


def _over_day(name: str, reason: Reason) -> str:
    return f"More than the {_size(reason)} of {name} a day that arrive without a question."


def _size(reason: Reason) -> str:
    size = reason.param(0)
    return size_words(int(size)) if size.isdecimal() else size


_SENTENCES: Mapping[str, Sentence] = MappingProxyType(
    {
        TransferReason.ASKS_ALWAYS: "You are asked about all files of {name}.",
        TransferReason.ASKS_SIZE: _over_size,
        TransferReason.ASKS_BYTES_A_DAY: _over_day,
        TransferReason.ASKS_FILES_A_DAY: (
            "More than the {0} files of {name} a day that arrive without a question."
        ),
        TransferReason.QUEUED: "Waiting for other files to finish.",
        TransferReason.COMPARING: "Comparing with the earlier folder.",
        TransferReason.NO_LINK: "Not connected to {name}. It goes on with the connection.",
        TransferReason.CONNECTING: "Opening a connection to {name} for the files.",
        TransferReason.FILES_STARTING: "The part of ChatNet that moves files is starting again.",
        TransferReason.LIMITED: "The rate limit that is set here slows it down.",
        TransferReason.DISK_BUSY: "The disk here is busy reading or writing.",
        TransferReason.PEER_NOT_READY: "{name} is not ready to receive yet.",
        TransferReason.PEER_QUEUED: "{name} is receiving other files first.",
        TransferReason.PEER_COMPARING: "{name} is comparing it with the earlier folder.",
        TransferReason.PEER_DISK_FULL: "The disk of {name} is full; waiting for space there.",
        TransferReason.PEER_UNWRITABLE: "The folder of {name} cannot be written at the moment.",
        TransferReason.NO_TCP: (
            "No TCP connection between the two sides; open the port of ChatNet on one of them."
        ),
        TransferReason.CONNECTION_CUT: "The connection for files was cut; trying again.",
        TransferReason.PATH_SILENT: (
            "Nothing that is sent is acknowledged: the path loses packets, perhaps all large ones, "
            "or a firewall stops them. Still trying."
        ),
        TransferReason.RECEIVER_BUSY: "{name} takes no more for now; the disk there may be busy.",
        TransferReason.SENDER_SILENT: "Nothing arrives from {name} at the moment. Waiting.",
        TransferReason.DISK_FULL: "The disk is full: {0} has no space for the rest.",
        TransferReason.NO_SPACE: _no_space,
        TransferReason.UNWRITABLE: "{0} cannot be written: {1}.",
        TransferReason.PARTS_GONE: (
            "Parts of {0} have disappeared while it arrived; they are fetched again."
        ),
        TransferReason.ENGINE_ERROR: "An internal error; the engine's log has the details.",
        TransferReason.RECEIVED_GONE: "What was received has disappeared before it got its name.",
        TransferReason.NAMES_TAKEN: "{0} has too many files of one name.",
        TransferReason.SAME_NAME: "Two files of {0} have one name on this disk.",
        TransferReason.NOT_AS_SENT: (
            "What arrived is not what was sent, repeatedly; one of the two machines is faulty."
        ),
        TransferReason.FILE_UNREADABLE: "{0} cannot be read: {1}.",
        TransferReason.FILE_IRREGULAR: "{0} is not a regular file any more.",
        TransferReason.FILE_CHANGED: "{0} has changed since it was offered; offer it again.",
        TransferReason.FILE_CHANGING: "{0} keeps changing while it is sent.",
        TransferReason.RECORD_ONLY: "Only the record of these files is left; offer them again.",
        TransferReason.LIST_GONE: (
            "The list of these files is not there any more; offer them again."
        ),
        TransferReason.LIST_LOST: (
            "The list of the files has disappeared while they arrived; it is fetched again."
        ),
        TransferReason.LIST_WRONG: "The list of these files is not what was offered.",
        TransferReason.OFFERS_FULL: "Too many offers of {name} wait for an answer.",
        TransferReason.PEER_OFFERS_FULL: "{name} has too many unanswered offers.",
        TransferReason.NOT_READ: "The files could not be read any more.",
        TransferReason.PEER_NOT_READ: "{name} no longer has these files as they were.",
        TransferReason.NOT_STORED: "The files could not be stored here.",
        TransferReason.PEER_NOT_STORED: "{name} could not store the files.",
        TransferReason.UNKNOWN_HERE: "This side no longer knew the offer when {name} asked for it.",
        TransferReason.PEER_UNKNOWN: "{name} no longer knows this offer.",
        TransferReason.PEER_REMOVED: "The peer was removed.",
        TransferReason.EARLIER: "{0}",
    }
)


def why_words(row: TransferRow, name: str) -> str:
    """Why it waits, does not move or has failed, one sentence; empty: nothing more is known.

    A newer engine's code is shown as it is.
    """
    if row.reason is None:
        return ""
    words = sentence_of(_SENTENCES, row.reason, name)
    return f"{words.removesuffix('.')}: {compared_words(row.compared)}." if row.compared else words


def compared_words(compared: Compared) -> str:
    """`12,000 of 41,000 files, 1.1 of 3.2 GB`."""
    files = f"{compared.files:,} of {compared.of_files:,} files"
    if not compared.of_bytes:
        return files
    return f"{files}, {size_words(compared.size_bytes)} of {size_words(compared.of_bytes)}"


def compared_share(compared: Compared) -> float:
    """How much of it is done, from 0 to 1: of bytes or of files, what is behind."""
    shares = [1.0]
    if compared.of_files:
        shares.append(compared.files / compared.of_files)
    if compared.of_bytes:
        shares.append(compared.size_bytes / compared.of_bytes)
    return max(0.0, min(shares))


def transfer_words(row: TransferRow, name: str, delivered: bool | None = None) -> str:
    """Where a transfer with the peer `name` stands. `delivered`: whether the peer has an own
    offer; None: not known here."""
    who = "you" if row.by == "me" else name
    why = why_words(row, name)
    match row.state:
        case TransferState.OFFERED:
            return _offered(row, name, delivered)
        case TransferState.WAITING:
            return why or "Waiting for the connection"
        case TransferState.ACTIVE:
            return why or ("Sending" if row.mine else "Receiving")
        case TransferState.PAUSED:
            return f"Paused by {who}"
        case TransferState.VERIFYING:
            return why or (f"{name} is verifying the files" if row.mine else "Verifying the files")
        case TransferState.DONE:
            return "Sent and verified" if row.mine else "Received and verified"
        case TransferState.REJECTED:
            return _with(f"Declined by {who}", why)
        case TransferState.CANCELLED:
            return _with(f"Cancelled by {who}", why)
        case TransferState.FAILED if is_record(row):
            return "Sent before the loss" if row.mine else "The files are not here"
        case TransferState.FAILED:
            return _with("Failed", why or "no reason given")
        case _:
            return row.state


def _offered(row: TransferRow, name: str, delivered: bool | None) -> str:
    if not row.mine:
        why = why_words(row, name)
        return f"Accept this? {why}" if why else "Accept this?"
    if delivered is None:
        return "Not answered yet"
    return f"Waiting for {name} to accept" if delivered else "Offer not delivered yet"


def _with(words: str, why: str) -> str:
    return f"{words}: {why}" if why else words
