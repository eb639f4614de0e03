import os
import socket

import pytest

from chatnet_engine.io.connections import look_at


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_connection_knows_its_process_and_what_waits(pair):
    ours, theirs = pair
    connection = look_at(ours.fileno())
    assert connection.pid == os.getpid()
    assert (connection.unread_bytes, connection.unsent_bytes) == (0, 0)
    theirs.sendall(bytes(100))
    assert connection.unread_bytes == 100
    ours.sendall(b"x")
    assert connection.unsent_bytes > 0


def test_ending_it_is_seen_on_both_ends(pair):
    ours, theirs = pair
    assert look_at(ours.fileno()).end()
    assert theirs.recv(1) == b""
    assert ours.recv(1) == b""


def test_another_connection_under_the_same_number_is_left_alone(pair):
    ours, _ = pair
    stale = look_at(ours.fileno())
    other, far = socket.socketpair()
    with other, far:
        os.dup2(other.fileno(), ours.fileno())
        far.sendall(b"x")
        assert (stale.unread_bytes, stale.unsent_bytes) == (0, 0)
        assert not stale.end()
        assert other.recv(1) == b"x"


def test_what_is_no_connection_is_nothing():
    read_fd, write_fd = os.pipe()
    try:
        assert look_at(read_fd) is None
    finally:
        os.close(read_fd)
        os.close(write_fd)
    assert look_at(read_fd) is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        assert look_at(udp.fileno()) is None


def test_a_connection_that_is_gone_is_empty_and_cannot_be_ended(pair):
    ours, _ = pair
    connection = look_at(ours.fileno())
    ours.close()
    assert (connection.unread_bytes, connection.unsent_bytes) == (0, 0)
    assert not connection.end()
