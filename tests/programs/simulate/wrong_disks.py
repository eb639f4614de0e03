"""Engines that are wrong about limits and disks, where a test rather than a seed notices."""

import os
from typing import Any

from chatnet_engine.arq.channel_in import ReceiveChannel
from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.receiver import Receiver
from chatnet_engine.arq.sender import Sender
from chatnet_engine.files import quota
from chatnet_engine.files.quota import Quota
from chatnet_engine.io.file_partial import PartialFile
from chatnet_engine.io.history_file import LedgerFile
from chatnet_engine.io.private_dir import write_atomically
from chatnet_engine.store_ops.commit import CommitFailed
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.limits import MAX_STATES
from chatnet_protocol.wire import frames
from simulate.mutant import Patches, noticed_by, swap

LINK_LIMITS = "tests/engine/arq/test_limits.py::"
FILE_LIMITS = "tests/engine/files/test_limits.py::"


@noticed_by(LINK_LIMITS + "test_one_packet_of_first_parts_cannot_use_more_than_twice_the_window")
def a_limit_holds_for_a_frame_only() -> Patches:
    """All frames of a packet are checked against what was before it."""
    handle, check = Connection.handle_packet, ReceiveChannel.check
    used_before: dict[int, int] = {}

    def begin(self: Connection, number: int, payload: bytes, now: float) -> None:
        used_before.clear()
        handle(self, number, payload, now)

    def as_before(self: ReceiveChannel, *args: Any) -> None:
        used_bytes = self._used_bytes
        self._used_bytes = used_before.setdefault(id(self), used_bytes)
        try:
            check(self, *args)
        finally:
            self._used_bytes = used_bytes

    return [
        swap(Connection, "handle_packet", begin),
        swap(ReceiveChannel, "check", as_before),
    ]


@noticed_by(LINK_LIMITS + "test_states_are_counted_within_a_packet_too")
def a_count_is_compared_with_is_rather_than_at_least() -> Patches:
    """States of one packet jump over their limit, and then it is never met."""
    check = Receiver.check

    def jumped(self: Receiver, frame: Any) -> bool:
        if not isinstance(frame, frames.State) or frame.key in self._states:
            return check(self, frame)
        if len(self._states) == MAX_STATES and not self._fresh_states:
            raise RemoteProtocolError(f"more than {MAX_STATES} states")
        return True

    return [swap(Receiver, "check", jumped)]


@noticed_by(LINK_LIMITS + "test_receipts_that_nobody_acknowledges_wait_for_probes")
def control_frames_are_in_flight_without_end() -> Patches:
    """A peer that never acknowledges makes a list longer and longer."""
    return [swap(Sender, "_control_open", property(lambda self: True))]


@noticed_by(FILE_LIMITS + "test_offers_withdrawn_by_the_hundred_do_not_bring_the_quota_back")
def a_quota_forgets() -> Patches:
    """What was used before a start does not count."""
    begin = Quota.__init__
    return [swap(Quota, "__init__", lambda self, loaded: begin(self, []))]


@noticed_by(FILE_LIMITS + "test_empty_files_count_too")
def empty_files_weigh_nothing() -> Patches:
    """The quota is one of bytes."""
    return [swap(quota, "MAX_AUTOMATIC_FILES_A_DAY", 1 << 30)]


@noticed_by(FILE_LIMITS + "test_the_quota_belongs_to_the_key_and_not_to_the_number_of_a_peer")
def a_quota_is_for_everybody() -> Patches:
    """What one peer sent, another may not."""
    take = Quota.take

    def common(self: Quota, transfer_id: bytes, key: bytes, *args: Any, **given: Any) -> Any:
        return take(self, transfer_id, b"", *args, **given)

    return [swap(Quota, "take", common)]


@noticed_by(
    "tests/engine/io/test_file_jobs.py"
    "::test_a_disk_that_takes_a_part_of_what_is_written_loses_nothing"
)
def short_writes_are_taken_for_whole() -> Patches:
    """The rest of what the disk did not take at once is dropped; the digest does not see it."""
    append = PartialFile.append

    def short(self: PartialFile, bodies: Any) -> Any:
        really_write = os.pwritev

        def all_of_it(fd: int, parts: Any, offset: int) -> int:
            really_write(fd, parts, offset)
            return sum(map(len, parts))

        with swap(os, "pwritev", all_of_it):
            return append(self, bodies)

    return [swap(PartialFile, "append", short)]


@noticed_by(
    "tests/engine/io/test_history_file.py::test_trusted_keys_are_on_disk_before_the_transaction"
)
def known_peers_after_the_transaction() -> Patches:
    """A key is trusted in the history before it is in known_peers."""

    def late(self: LedgerFile, commit: Any) -> Any:
        done = self._ledger.apply(commit)
        if commit.known_peers is not None:
            try:
                write_atomically(self._known_peers_path, commit.known_peers)
            except OSError as error:
                reason = f"{self._known_peers_path} cannot be written: {error.strerror}."
                return CommitFailed(commit.number, reason, False)
        return done

    return [swap(LedgerFile, "apply", late)]
