import pytest

from chatnet_engine.io import request_queue
from chatnet_engine.io.request_queue import MAX_DROPPED, MAX_ROUTES, MAX_WAITING, RequestQueue


@pytest.fixture
def queue():
    return RequestQueue()


def taken(queue):
    requests = []
    while (request := queue.take()) is not None:
        requests.append(request)
    return requests


def test_requests_of_one_client_stay_in_order(queue):
    assert not queue
    for number in range(5):
        assert queue.put(b"a", [b"%d" % number])
    assert queue
    assert [frames for _, frames in taken(queue)] == [[b"%d" % n] for n in range(5)]
    assert not queue


def test_clients_take_turns(queue):
    for number in range(3):
        queue.put(b"busy", [b"%d" % number])
    queue.put(b"quiet", [b"x"])
    assert [route for route, _ in taken(queue)] == [b"busy", b"quiet", b"busy", b"busy"]


def test_what_a_client_has_too_much_is_dropped_and_counted(queue):
    for _ in range(MAX_WAITING + 3):
        assert queue.put(b"a", [b"x"])
    assert queue.put(b"b", [b"x"])
    assert queue.dropped == 3
    assert len(taken(queue)) == MAX_WAITING + 1


def test_a_flood_is_told_from_a_burst(queue):
    for _ in range(MAX_WAITING + MAX_DROPPED):
        assert queue.put(b"a", [b"x"])
    assert not queue.put(b"a", [b"x"])


def test_a_client_whose_requests_were_all_done_starts_afresh(queue):
    for _ in range(3):
        for _ in range(MAX_WAITING + MAX_DROPPED):
            assert queue.put(b"a", [b"x"])
        assert len(taken(queue)) == MAX_WAITING


def test_bytes_are_bounded_for_one_client_and_for_all(queue, monkeypatch):
    monkeypatch.setattr(request_queue, "MAX_WAITING_BYTES", 10)
    monkeypatch.setattr(request_queue, "MAX_ALL_WAITING_BYTES", 25)
    monkeypatch.setattr(request_queue, "MAX_DROPPED_BYTES", 12)
    assert queue.put(b"a", [bytes(10)])
    assert queue.put(b"a", [b"x"])
    assert queue.put(b"b", [bytes(5), bytes(5)])
    assert queue.put(b"c", [bytes(10)])
    assert queue.dropped == 2
    assert queue.put(b"c", [bytes(5)])
    assert not queue.put(b"a", [bytes(12)])
    assert [route for route, _ in taken(queue)] == [b"a", b"b", b"c"]
    assert queue.put(b"c", [bytes(10)])


def test_nothing_more_comes_from_a_client_that_was_shut(queue):
    queue.shut(b"unknown")
    queue.put(b"a", [b"1"])
    queue.put(b"b", [b"2"])
    queue.shut(b"a")
    queue.shut(b"a")
    assert queue.put(b"a", [b"3"])
    assert taken(queue) == [(b"b", [b"2"])]
    assert queue.dropped == 2


def test_the_number_of_clients_remembered_is_bounded(queue):
    for number in range(MAX_ROUTES):
        queue.put(b"%d" % number, [b"x"])
    assert queue.put(b"one more", [b"x"])
    assert queue.dropped == 1
    queue.take()
    queue.put(b"one more", [b"x"])
    assert queue.dropped == 1
    assert len(taken(queue)) == MAX_ROUTES
