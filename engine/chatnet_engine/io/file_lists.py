"""Answers a request to list files: in the report itself, or with a listing for many."""

from collections.abc import Callable

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.names import shown
from chatnet_engine.files.offering import TOO_MANY
from chatnet_engine.io.file_listing import Listings, NewListing, TooLong
from chatnet_engine.io.file_scan import ScanError, TooMany, failed, scan
from chatnet_engine.io.file_walk import Walk
from chatnet_protocol.errors import ErrorCode


def list_files(request: pw.Scan, folder: str, report: Callable[[pw.Report], None]) -> pw.Scanned:
    """`folder`: for listings; without one there are none."""
    try:
        return scan(request.id, request.roots)
    except TooMany:
        pass
    try:
        if not folder:
            raise TooLong
        listing = NewListing(Listings(folder), folder, request.id)
        try:
            walk = Walk(listing, lambda: report(pw.Scanning(request.id)))
            for root in request.roots:
                walk.add(root)
            offered = walk.finish()
        finally:
            listing.drop()
    except ScanError as error:
        return failed(request.id, error)
    except TooLong:
        return failed(request.id, ScanError(ErrorCode.TOO_LARGE, TOO_MANY))
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        sentence = f"The list of the files cannot be kept in {shown(folder)}: {why}."
        return failed(request.id, ScanError(ErrorCode.FILE, sentence))
    left_out = walk.left_out
    return pw.Scanned(
        request.id,
        [],
        left_out=left_out.count,
        left_out_named=left_out.named,
        listing=offered,
    )
