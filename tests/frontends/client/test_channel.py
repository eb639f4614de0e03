"""The sockets: everything that has arrived is read; a late wake-up hurts nobody."""

import os
from pathlib import Path

import pytest
import zmq

from chatnet_client.channel import Channel
from chatnet_protocol.ipc.session_files import ConnectionFile, encode_connection_file


def test_all_that_has_arrived_on_either_socket_is_read(tmp_path: Path) -> None:
    events, commands = f"ipc://{tmp_path}/e", f"ipc://{tmp_path}/c"
    known = ConnectionFile("s", "00" * 8, os.getpid(), 2, "1", events, commands, 1)
    (tmp_path / "connection.json").write_bytes(encode_connection_file(known))
    channel = Channel(str(tmp_path / "connection.json"))
    with zmq.Context() as context, context.socket(zmq.XPUB) as pub:
        pub.bind(events)
        with context.socket(zmq.ROUTER) as router:
            router.bind(commands)
            assert (channel.take_replies(), channel.take_publications()) == ([], [])
            channel.open()
            channel.send(b"asked")
            assert pub.recv() == b"\x01"
            while not router.poll(0):  # the request leaves once the socket is connected
                channel.wait(0.01)
            routing_id, _ = router.recv_multipart()
            for number in range(3):
                router.send_multipart([routing_id, b"%d" % number])
                pub.send_multipart([b"topic", b"%d" % number])
            replies, publications = list[bytes](), list[tuple[bytes, bytes]]()
            while len(replies) < 3 or len(publications) < 3:
                channel.wait(10.0)
                replies += channel.take_replies()
                publications += channel.take_publications()
            assert replies == [b"0", b"1", b"2"]
            assert publications == [(b"topic", frame) for frame in replies]
    channel.close()


def test_libzmq_has_no_timer_that_could_end_a_front_end_that_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[zmq.Socket[bytes]] = []
    make = zmq.Context.socket

    def socket(self: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
        made.append(make(self, kind))
        return made[-1]

    monkeypatch.setattr(zmq.Context, "socket", socket)
    events, commands = f"ipc://{tmp_path}/e", f"ipc://{tmp_path}/c"
    known = ConnectionFile("s", "00" * 8, os.getpid(), 2, "1", events, commands, 1)
    (tmp_path / "connection.json").write_bytes(encode_connection_file(known))
    channel = Channel(str(tmp_path / "connection.json"))
    channel.open()
    assert [one.getsockopt(zmq.HEARTBEAT_IVL) for one in made] == [0, 0]
    channel.close()


def test_a_wake_after_the_end_writes_into_nobodys_file(tmp_path: Path) -> None:
    channel = Channel(str(tmp_path / "connection.json"))
    channel.close()
    ours = os.open(tmp_path / "ours", os.O_RDWR | os.O_CREAT)  # takes the number that is free now
    try:
        channel.wake()
        assert os.fstat(ours).st_size == 0
    finally:
        os.close(ours)
