"""Requests and reports survive the pipe, and the largest ones fit it."""

from typing import get_args

import msgspec
import pytest

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.offering import MAX_ROOT_BYTES
from chatnet_engine.files.process_wire import MAX_FRAME_BYTES
from chatnet_engine.files.space_wire import Earlier, Survey, Surveyed
from chatnet_engine.files.update_wire import EarlierFolder, Exchange, KeptFolder
from chatnet_protocol.ipc.offer import LeftOut, OfferedFolder
from chatnet_protocol.ipc.reasons import TransferReason, reason
from chatnet_protocol.ipc.results import Space
from chatnet_protocol.ipc.rows import Renamed
from chatnet_protocol.limits import MAX_FILES_IN_OFFER, MAX_LISTED_FILES, MAX_OFFER_BYTES

ID = bytes(range(16))
CONNECT = pw.Connect(b"handle--", bytes(32), 2, [("127.0.0.1", 9), ("::1", 9)], 60.0)
FILE = pw.ScannedFile(0, ["a", "b"], 5, 7)
VALUES = [
    pw.Scan(ID, ["/a", "/b"]),
    pw.Send(1, CONNECT, ["/a"], [FILE]),
    pw.Receive(1, ID, CONNECT, "/in", b"offer", 0, 3, 0),
    pw.Prepare(1, ID, "/in", b"offer", EarlierFolder("a", 98, b"earlier", bytes(32))),
    pw.Stop(1),
    pw.Place(ID, "/in", 0, "a (1)", "a", 99),
    pw.Discard(ID, "/in", Exchange("a", 98, b"s", "a (until)", [KeptFolder("b", 97, 1, b"k")]), 99),
    pw.BulkIn(1, b"bytes"),
    pw.BulkGrant(1, 5),
    pw.Probe(1, [("10.0.0.1", 5)]),
    pw.Limit(300_000),
    Survey(["/in"], [ID], [Earlier(ID, "/in", KeptFolder("b", 97, 1, b"k"))], True),
    Surveyed(Space(1, 4096)),
    Surveyed(None),
    pw.BulkOut(1, b"bytes"),
    pw.BulkTaken(1, 5),
    pw.Reachable(1),
    pw.Listening(0, "TCP port 5 cannot be used: busy.", True),
    pw.Scanned(ID, [FILE], "", "", [OfferedFolder(["a", "c"])], 1, [LeftOut("a/l", "link")]),
    pw.Expecting(1),
    pw.Connected(1),
    pw.Progress(1, 0, 3, 4),
    pw.Stalled(1, TransferReason.PATH_SILENT),
    pw.Comparing(1, 2, 3, 4, 5),
    pw.Prepared(1, b"\1", bytes(32), b"state", "a (until 2026-11-30)", "update-changed"),
    pw.SourceChanged(1, 0, 8),
    pw.FileComplete(1, 0),
    pw.ThingComplete(1, 0, "a", 99, 1, [Renamed("a/\n", "_")]),
    pw.Scanning(ID),
    pw.Placed(ID, 0, "a"),
    pw.NotPlaced(ID, 0, "", reason(TransferReason.RECEIVED_GONE), True),
    pw.Ended(1, pw.Outcome.LOST),
    pw.Ended(1, pw.Outcome.FULL, reason(TransferReason.DISK_FULL, "/in")),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_round_trip(value: pw.Request | pw.Report) -> None:
    decode = pw.decode_request if isinstance(value, get_args(pw.Request)) else pw.decode_report
    assert decode(pw.encode(value)) == value


def test_all_are_tried() -> None:
    kinds = {*get_args(pw.Request), *get_args(pw.Report)}
    assert kinds == {type(value) for value in VALUES}


def test_what_does_not_parse_is_a_broken_invariant() -> None:
    with pytest.raises(msgspec.DecodeError):
        pw.decode_report(pw.encode(pw.Stop(1)))
    with pytest.raises(msgspec.DecodeError):
        pw.decode_request(b"\xc1")


def test_the_largest_requests_fit_a_frame() -> None:
    name = "n" * (MAX_OFFER_BYTES // MAX_FILES_IN_OFFER)
    files = [pw.ScannedFile(n, [name], 2**53, 2**62, True) for n in range(MAX_FILES_IN_OFFER)]
    send = pw.Send(2**40, CONNECT, ["/" + "r" * MAX_ROOT_BYTES], files)
    assert len(pw.encode(send)) < MAX_FRAME_BYTES
    offer = bytes(MAX_OFFER_BYTES)
    receive = pw.Receive(2**40, ID, CONNECT, "/" + "i" * 4096, offer, 0, 0, 0)
    assert len(pw.encode(receive)) < MAX_FRAME_BYTES
    digests, bits = bytes(32 * MAX_FILES_IN_OFFER), bytes(MAX_LISTED_FILES // 8 + 1)
    receive = msgspec.structs.replace(receive, have=bits, digests=digests)
    assert len(pw.encode(receive)) < MAX_FRAME_BYTES
    prepared = pw.Prepared(2**40, bits, digests, bytes(32), "u" * 255)
    assert len(pw.encode(prepared)) < MAX_FRAME_BYTES
    complete = pw.ThingComplete(2**40, 0, "n" * 255, 2**60, digests=digests)
    assert len(pw.encode(complete)) < MAX_FRAME_BYTES
