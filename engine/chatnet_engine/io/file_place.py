"""Final names: how what is complete in the partial folder comes out of it, or is removed."""

import contextlib
import os
import stat

from chatnet_engine.files import process_wire as pw
from chatnet_engine.io.file_exchange import ExchangeRefused, Exchanging
from chatnet_engine.io.file_folder import Folder, FolderError, PartialGone, problem
from chatnet_engine.io.file_listing import Listings
from chatnet_engine.io.file_manifest import forget, forget_new
from chatnet_protocol.ipc.reasons import TransferReason, UpdateReason, reason


def place(request: pw.Place) -> pw.Placed | pw.NotPlaced:
    """Give what is complete its final name, or say which name is free, or what is wrong."""
    transfer_id, thing, name = request.id, request.thing, request.name
    try:
        folder = Folder(request.folder)
        with contextlib.closing(folder):
            until, refusal = _exchange(folder, request)
            if until and request.exchange:
                return pw.Placed(transfer_id, thing, request.exchange.name, until)
            if folder.place(transfer_id, thing, name, request.inode):
                return pw.Placed(transfer_id, thing, name, problem=refusal)
            found = folder.partial(transfer_id, thing)
            is_folder = found is not None and stat.S_ISDIR(found.st_mode)
            free = folder.free_name(request.wanted, is_folder=is_folder)
            return pw.NotPlaced(transfer_id, thing, free)
    except PartialGone:
        return pw.NotPlaced(transfer_id, thing, "", reason(TransferReason.RECEIVED_GONE), gone=True)
    except FolderError as error:
        return pw.NotPlaced(transfer_id, thing, "", error.why)
    except OSError as error:
        return pw.NotPlaced(transfer_id, thing, "", problem(error, request.folder).why)


def broken(request: pw.Place) -> pw.NotPlaced:
    """It failed inside; it is asked for again."""
    return pw.NotPlaced(request.id, request.thing, "", reason(TransferReason.ENGINE_ERROR))


def _exchange(folder: Folder, request: pw.Place) -> tuple[str, str]:
    """The name of the folder whose place it has taken, or why it has taken none."""
    if request.exchange is None:
        return "", ""
    if folder.has(request.name, request.inode):
        return "", UpdateReason.CHANGED.value  # an earlier call found that
    try:
        return Exchanging(folder, request.id, request.inode, request.exchange).run(), ""
    except ExchangeRefused as error:
        return "", error.problem


def discard(request: pw.Discard, listings: str) -> None:
    """Remove what a transfer left behind in its folder and in that of `listings`. Raises
    FolderError."""
    if listings:
        Listings(listings).remove(request.id)
        forget_new(listings, request.id)
        if request.manifest:
            forget(listings, request.id)
    if os.path.isdir(request.folder):
        with contextlib.closing(Folder(request.folder)) as folder:
            if request.exchange is not None:
                with contextlib.suppress(OSError):
                    Exchanging(folder, request.id, request.inode, request.exchange).settle()
            folder.discard(request.id)
