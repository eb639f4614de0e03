"""Why something is as it is: a code and its parameters, for rows, events and notices.

The words for people are a front end's; `chatnet_client.words` has them in English. Parameters are
text, numbers too; what a peer or an operating system wrote may be among them.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct


class LinkReason(enum.StrEnum):
    """Why the link to a peer is in its state."""

    NO_ANSWER = "no-answer"
    HOST_UNKNOWN = "host-unknown"
    HOST_NOT_FOUND = "host-not-found"
    HOST_INVALID = "host-invalid"
    HOST_WITHOUT_ADDRESS = "host-without-address"
    HOST_NEEDS_IPV6 = "host-needs-ipv6"
    LOOKUP_SLOW = "lookup-slow"
    LOOKUPS_BUSY = "lookups-busy"
    NO_INVITE = "no-invite"
    UNINVITED = "uninvited"
    OWN_ADDRESS = "own-address"
    OTHER_VERSION = "other-version"
    KEY_CHANGED = "key-changed"
    KEY_NOT_VOUCHED = "key-not-vouched"
    NOT_ACCEPTED = "not-accepted"
    NOT_TRUSTED = "not-trusted"
    PEER_REFUSED = "peer-refused"
    PEER_STOPPED = "peer-stopped"
    PEER_CLOSED = "peer-closed"
    VIOLATION = "violation"
    UNANSWERED = "unanswered"
    ENGINE_FAILED = "engine-failed"
    UNREADABLE = "unreadable"
    READ_AGAIN = "read-again"


class TransferReason(enum.StrEnum):
    """Why a transfer waits, does not move or has failed."""

    ASKS_ALWAYS = "asks-always"
    ASKS_SIZE = "asks-size"
    ASKS_BYTES_A_DAY = "asks-bytes-a-day"
    ASKS_FILES_A_DAY = "asks-files-a-day"
    QUEUED = "queued"
    COMPARING = "comparing"
    NO_LINK = "no-link"
    CONNECTING = "connecting"
    FILES_STARTING = "files-starting"
    LIMITED = "limited"
    DISK_BUSY = "disk-busy"
    PEER_NOT_READY = "peer-not-ready"
    PEER_QUEUED = "peer-queued"
    PEER_COMPARING = "peer-comparing"
    PEER_DISK_FULL = "peer-disk-full"
    PEER_UNWRITABLE = "peer-unwritable"
    NO_TCP = "no-tcp"
    CONNECTION_CUT = "connection-cut"
    PATH_SILENT = "path-silent"
    RECEIVER_BUSY = "receiver-busy"
    SENDER_SILENT = "sender-silent"
    DISK_FULL = "disk-full"
    NO_SPACE = "no-space"
    UNWRITABLE = "unwritable"
    PARTS_GONE = "parts-gone"
    ENGINE_ERROR = "engine-error"
    RECEIVED_GONE = "received-gone"
    NAMES_TAKEN = "names-taken"
    SAME_NAME = "same-name"
    NOT_AS_SENT = "not-as-sent"
    FILE_UNREADABLE = "file-unreadable"
    FILE_IRREGULAR = "file-irregular"
    FILE_CHANGED = "file-changed"
    FILE_CHANGING = "file-changing"
    RECORD_ONLY = "record-only"
    LIST_GONE = "list-gone"
    LIST_LOST = "list-lost"
    LIST_WRONG = "list-wrong"
    OFFERS_FULL = "offers-full"
    PEER_OFFERS_FULL = "peer-offers-full"
    NOT_READ = "not-read"
    PEER_NOT_READ = "peer-not-read"
    NOT_STORED = "not-stored"
    PEER_NOT_STORED = "peer-not-stored"
    UNKNOWN_HERE = "unknown-here"
    PEER_UNKNOWN = "peer-unknown"
    PEER_REMOVED = "peer-removed"
    EARLIER = "earlier"


class NoticeCode(enum.StrEnum):
    """What a person should know, once."""

    HISTORY_GAP = "history-gap"
    PEER_LOST_HISTORY = "peer-lost-history"
    OWN_HISTORY_LOST = "own-history-lost"
    PEER_PENDING = "peer-pending"
    STORE_FAILED = "store-failed"
    STORE_WORKS = "store-works"
    CONTAINED = "contained"
    CONTAINED_TRANSFERS = "contained-transfers"
    PEER_UNREADABLE = "peer-unreadable"
    LEFT_OUT_PEER = "left-out-peer"
    LEFT_OUT_TRANSFER = "left-out-transfer"
    LEFT_OUT_MESSAGE = "left-out-message"
    LEFT_OUT_RESTORE = "left-out-restore"
    LEFT_OUT_MORE = "left-out-more"
    ASKS_NOW = "asks-now"


class UpdateReason(enum.StrEnum):
    """Why an update of a folder left the receiver's earlier one as it is, and arrived beside it:
    `Differences.not_updated`, which has no parameters."""

    NOT_ALLOWED = "update-not-allowed"
    """The receiver has not allowed updates of this folder."""
    CHANGED = "update-changed"
    """Something in the receiver's copy was changed, added or removed."""
    MOVED = "update-moved"
    """The receiver's copy is not where it was, or the new one is wanted elsewhere."""
    NOT_KNOWN = "update-not-known"
    """What the earlier files were was not stored."""
    DISK = "update-disk"
    """The receiver's disk cannot exchange two folders."""


class MessageFailure(enum.StrEnum):
    """Why an own message will never be sent: `MessageRow.failed`, which has no parameters."""

    WITHDRAWN = "withdrawn"
    DELETED = "deleted"


KINDS: tuple[type[enum.StrEnum], ...] = (
    LinkReason,
    TransferReason,
    NoticeCode,
    MessageFailure,
    UpdateReason,
)
PARAMETERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        LinkReason.HOST_UNKNOWN: ("host",),
        LinkReason.HOST_NOT_FOUND: ("host", "error"),
        LinkReason.HOST_INVALID: ("host",),
        LinkReason.HOST_WITHOUT_ADDRESS: ("host",),
        LinkReason.HOST_NEEDS_IPV6: ("host",),
        LinkReason.LOOKUP_SLOW: ("host",),
        LinkReason.OTHER_VERSION: ("theirs", "ours"),
        LinkReason.PEER_REFUSED: ("why",),
        LinkReason.VIOLATION: ("what",),
        TransferReason.ASKS_SIZE: ("bytes",),
        TransferReason.ASKS_BYTES_A_DAY: ("bytes",),
        TransferReason.ASKS_FILES_A_DAY: ("files",),
        TransferReason.DISK_FULL: ("path",),
        TransferReason.NO_SPACE: ("path", "bytes"),
        TransferReason.UNWRITABLE: ("path", "error"),
        TransferReason.PARTS_GONE: ("name",),
        TransferReason.NAMES_TAKEN: ("path",),
        TransferReason.SAME_NAME: ("name",),
        TransferReason.FILE_UNREADABLE: ("path", "error"),
        TransferReason.FILE_IRREGULAR: ("path",),
        TransferReason.FILE_CHANGED: ("path",),
        TransferReason.FILE_CHANGING: ("path",),
        TransferReason.EARLIER: ("sentence",),
        NoticeCode.HISTORY_GAP: ("count",),
        NoticeCode.PEER_LOST_HISTORY: ("count",),
        NoticeCode.OWN_HISTORY_LOST: ("count",),
        NoticeCode.STORE_FAILED: ("why",),
        NoticeCode.CONTAINED: ("seconds",),
        NoticeCode.PEER_UNREADABLE: ("seconds",),
        NoticeCode.LEFT_OUT_PEER: ("number", "name"),
        NoticeCode.LEFT_OUT_TRANSFER: ("name",),
        NoticeCode.LEFT_OUT_MORE: ("count",),
    }
)
"""What the parameters of a code mean, in their order; codes that are not here have none."""


class Reason(Struct, array_like=True, gc=False, frozen=True):
    """A code of the kind that the field names, and its parameters."""

    code: str
    params: list[str] = []

    def param(self, number: int) -> str:
        """A parameter; empty where an older engine sent none."""
        return self.params[number] if number < len(self.params) else ""


def reason(code: enum.StrEnum, *params: object) -> Reason:
    """A reason with the parameters that its code has."""
    assert len(params) == len(PARAMETERS.get(code, ())), code
    return Reason(str(code), [str(param) for param in params])
