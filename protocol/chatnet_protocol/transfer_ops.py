"""Operations of the wire between node and ledger (`commit`) that are about transfers of files."""

from msgspec import Struct

from chatnet_protocol.ipc.rows import TransferRow


class OpBase(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Common shape of all operations."""


class StoreTransfer(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Insert or replace a transfer; `detail` is the owner's private state (paths, verified
    offsets, digests), opaque here. Result: TransferStored."""

    row: TransferRow
    detail: bytes


class TransferStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """The row as stored."""

    row: TransferRow


class StoredTransfer(Struct, array_like=True, gc=False, frozen=True):
    """A transfer as the store has it."""

    row: TransferRow
    detail: bytes
