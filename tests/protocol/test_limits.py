"""Limits that hold because of one another."""

from chatnet_protocol import limits


def test_one_of_the_largest_always_fits_what_carries_it() -> None:
    assert limits.MAX_TEXT_BYTES < limits.MAX_MESSAGE_BYTES < 2**16 * 2
    assert limits.MAX_OFFER_BYTES <= limits.MAX_TEXT_BYTES
    assert limits.MAX_MESSAGE_BYTES + limits.MESSAGE_OVERHEAD_BYTES <= limits.RECEIVE_WINDOW_BYTES
    assert limits.MAX_TEXT_BYTES + 1024 <= limits.MAX_EVENT_BYTES
    assert limits.MAX_EVENT_BYTES <= limits.MAX_PUBLICATION_BYTES
    assert limits.MAX_PUBLICATION_BYTES + 64 <= limits.MAX_IPC_FRAME_BYTES
    assert limits.SNAPSHOT_PART_BYTES + 1024 <= limits.MAX_IPC_FRAME_BYTES
    assert limits.MAX_HISTORY_BYTES + 256 * limits.MAX_HISTORY_ROWS <= limits.MAX_IPC_FRAME_BYTES
    assert limits.MAX_EVENT_BYTES <= limits.EVENT_RING_BYTES


def test_payloads_are_what_the_headers_leave() -> None:
    assert limits.MAX_PAYLOAD_BYTES == 1168
    assert limits.BASE_DATAGRAM_BYTES <= limits.MAX_DATAGRAM_BYTES


def test_a_client_is_given_time_to_miss_some_heartbeats() -> None:
    assert limits.CLIENT_TIMEOUT_S >= 10 * limits.HEARTBEAT_INTERVAL_S
