"""Operations on transfers of files."""

from msgspec import Struct

from chatnet_protocol.ipc.rows import TransferRow


class OpBase(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Common shape of all operations."""


class AutomaticUse(Struct, array_like=True, gc=False, frozen=True):
    """What the files of one key took without a question on one day."""

    key: bytes
    day: int
    """Days since 1970 (UTC), after this machine's clock."""
    size_bytes: int
    files: int


class StoreTransfer(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Insert or replace a transfer. `detail` (how far it is) and `listing` are the owner's, opaque
    here. Result: TransferStored."""

    row: TransferRow
    detail: bytes
    listing: bytes = b""
    """What it is of: the offer, which does not change. Empty: as it is stored already."""
    automatic: AutomaticUse | None = None
    """What it takes of its key's quota, when it was accepted automatically: adds up in a day."""
    given: bytes = b""
    """Digest of the paths that a new own offer was made of, for telling a repeated command from
    another one under the same id; kept when it is empty."""
    digests: bytes = b""
    """BLAKE3 digests of the files of a received folder, in the order of its offer; kept when it is
    empty."""


class TransferStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """The row as stored."""

    row: TransferRow


class LoadTransfers(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Read transfers that may not be in memory any more. Result: TransfersLoaded."""

    ids: list[bytes]


class StoredTransfer(Struct, array_like=True, gc=False, frozen=True):
    """A transfer as the store has it."""

    row: TransferRow
    detail: bytes
    waiting_seq: int = 0
    """Number of the own offering message while the peer has not committed it; else 0."""
    listing: bytes = b""
    """Empty for one that schema version 2 stored and that has not changed since."""


class FindFolder(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Find the folder of this name that was received last from this peer, other than by the
    transfer `id`. Result: FolderFound."""

    id: bytes
    peer: int
    name: str


class FolderFound(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """None: there is none. `digests`: as they were stored, or empty."""

    found: StoredTransfer | None
    digests: bytes = b""


class ListReceived(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Read what the peers' transfers that have ended record, a page at a time, newest first.
    `before`: as the last page gave it; 0: from the newest on. Result: ReceivedListed."""

    before: int = 0


class ReceivedListed(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """`found`: the id and the packed detail of each; `before`: of the next page; 0: there is
    none."""

    found: list[tuple[bytes, bytes]]
    before: int = 0


class TransfersLoaded(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Those that there are."""

    found: list[StoredTransfer]
