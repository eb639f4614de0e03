"""Words that every front end uses for the same fact."""

import pytest
from msgspec.structs import replace

from chatnet_client import words
from chatnet_client.words import numbers, states
from chatnet_client.words.links import link_sentence, reason_words
from chatnet_client.words.messages import failure_words
from chatnet_client.words.notices import notice_words
from chatnet_client.words.transfers import (
    compared_share,
    compared_words,
    transfer_words,
    why_words,
)
from chatnet_protocol.ipc.events import notice
from chatnet_protocol.ipc.reasons import (
    PARAMETERS,
    LinkReason,
    MessageFailure,
    NoticeCode,
    Reason,
    TransferReason,
    reason,
)
from chatnet_protocol.ipc.rows import (
    Compared,
    LinkRow,
    LinkState,
    PeerRow,
    RestoreMine,
    RestoreRow,
    RestoreTheirs,
    TransferRow,
    TransferState,
)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_450_000, "1.4 MB"),
        (250e6, "250 MB"),
        (734_003_200, "734 MB"),
        (3e9, "3.0 GB"),
        (4e12, "4.0 TB"),
        (2e15, "2000.0 TB"),
    ],
)
def test_sizes(size: float, said: str) -> None:
    assert words.size_words(size) == said


@pytest.mark.parametrize(
    ("row", "name", "named"),
    [
        (PeerRow(1, "bob", "h", 1, display_name="Robert"), "bob", True),
        (PeerRow(1, "h:1", "h", 1, display_name="Robert"), "Robert", False),
        (PeerRow(1, "h:1", "h", 1), "h:1", False),
        (PeerRow(3, "", "", 0, address="1.2.3.4:5"), "1.2.3.4:5", False),
        (PeerRow(3, "", "", 0), "peer 3", False),
        (PeerRow(4, "1.2.3.4:5", "", 0, display_name="Bob", address="9.9.9.9:9"), "Bob", False),
        (PeerRow(4, "[fe80::1]:5", "", 0, display_name="Bob"), "Bob", False),
        (PeerRow(4, "1.2.3.4:5", "", 0), "1.2.3.4:5", False),
        (PeerRow(4, "dad:5", "", 0, display_name="Bob"), "dad:5", True),
        (PeerRow(4, "v1.2: b", "", 0, display_name="Bob"), "v1.2: b", True),
    ],
)
def test_what_a_peer_is_called(row: PeerRow, name: str, named: bool) -> None:
    assert words.name_of(row) == name
    assert words.is_named(row) is named


@pytest.mark.parametrize("code", list(LinkReason))
def test_every_reason_of_a_link_has_a_sentence(code: LinkReason) -> None:
    params = [f"<{number}>" for number in range(len(PARAMETERS.get(code, ())))]
    sentence = reason_words(reason(code, *params), "{bob}")
    assert sentence[0].isupper() or sentence.startswith(("{bob}", "<"))
    assert sentence.endswith((".", "?"))
    assert all(param in sentence for param in params)


@pytest.mark.parametrize("code", list(NoticeCode))
def test_every_notice_has_a_sentence(code: NoticeCode) -> None:
    params = [f"<{number}>" for number in range(len(PARAMETERS.get(code, ())))]
    sentence = notice_words(notice("info", code, *params, peer=1), "{bob}")
    assert sentence.endswith(".")
    assert all(param in sentence for param in params)


def transfer(
    state: str, why: Reason | None = None, *, by: str = "", mine: bool = False
) -> TransferRow:
    return TransferRow(bytes(16), 1, 1, mine, state, "f", 1, 10, by=by, reason=why)


@pytest.mark.parametrize("code", list(TransferReason))
def test_every_reason_of_a_transfer_has_a_sentence(code: TransferReason) -> None:
    params = [f"<{number}>" for number in range(len(PARAMETERS.get(code, ())))]
    sentence = why_words(transfer("waiting", reason(code, *params)), "{bob}")
    assert all(param in sentence for param in params)
    if code != TransferReason.EARLIER:
        assert sentence[0].isupper() or sentence.startswith(("{bob}", "<"))
        assert sentence.endswith(".")


@pytest.mark.parametrize("mine", [True, False])
@pytest.mark.parametrize("state", ["waiting", "active", "verifying"])
@pytest.mark.parametrize("code", list(TransferReason))
def test_what_holds_a_transfer_up_is_what_is_said(
    code: TransferReason, state: str, mine: bool
) -> None:
    params = [f"<{number}>" for number in range(len(PARAMETERS.get(code, ())))]
    row = transfer(state, reason(code, *params), mine=mine)
    assert transfer_words(row, "bob") == why_words(row, "bob")


def test_comparing_says_how_far_it_is() -> None:
    row = transfer("waiting", reason(TransferReason.PEER_COMPARING), mine=True)
    compared = Compared(12_000, 41_000, 1_100_000_000, 3_200_000_000)
    words = why_words(replace(row, compared=compared), "bob")
    numbers = "12,000 of 41,000 files, 1.1 GB of 3.2 GB"
    assert words == f"bob is comparing it with the earlier folder: {numbers}."
    assert why_words(row, "bob") == "bob is comparing it with the earlier folder."
    assert compared_words(Compared(1, 2, 0, 0)) == "1 of 2 files"


@pytest.mark.parametrize(
    ("compared", "share"),
    [
        (Compared(1, 4, 90, 100), 0.25),
        (Compared(3, 4, 10, 100), 0.1),
        (Compared(1, 2, 0, 0), 0.5),
        (Compared(0, 0, 0, 0), 1.0),
        (Compared(9, 1, 9, 1), 1.0),
        (Compared(-1, 1, 9, 1), 0.0),
    ],
)
def test_how_much_is_compared_is_what_is_behind(compared: Compared, share: float) -> None:
    assert compared_share(compared) == share


def test_missing_room_is_given_in_whole_megabytes() -> None:
    row = transfer("waiting", reason(TransferReason.NO_SPACE, "/in", 51_000_001))
    assert why_words(row, "bob") == "Not enough space in /in: 52 MB more are needed."


@pytest.mark.parametrize("mine", [True, False])
@pytest.mark.parametrize("state", list(TransferState))
def test_every_state_of_a_transfer_has_words(state: TransferState, mine: bool) -> None:
    words = {
        transfer_words(transfer(state, mine=mine), "bob", known) for known in (None, True, False)
    }
    assert all(one[0].isupper() or one.startswith("bob") for one in words)
    assert len(words) == (3 if mine and state == TransferState.OFFERED else 1)


def test_a_transfer_says_who_and_why() -> None:
    full = reason(TransferReason.OFFERS_FULL)
    assert transfer_words(transfer("paused", by="me"), "bob") == "Paused by you"
    assert transfer_words(transfer("cancelled", by="peer"), "bob") == "Cancelled by bob"
    declined = transfer_words(transfer("rejected", full, by="me"), "bob")
    assert declined == "Declined by you: Too many offers of bob wait for an answer."
    assert transfer_words(transfer("active", full), "bob") == why_words(transfer("", full), "bob")
    assert transfer_words(transfer("failed"), "bob") == "Failed: no reason given"
    assert transfer_words(transfer("melting"), "bob") == "melting"


def test_the_sentence_of_an_earlier_version_is_shown_as_it_is() -> None:
    row = transfer("failed", reason(TransferReason.EARLIER, "The {disk} is full."))
    assert transfer_words(row, "bob") == "Failed: The {disk} is full."


def test_a_damaged_row_without_a_name_is_named_all_the_same() -> None:
    peer = notice("error", NoticeCode.LEFT_OUT_PEER, 3, "")
    assert notice_words(peer, "").startswith("Peer 3 was left out")
    transfer = notice("error", NoticeCode.LEFT_OUT_TRANSFER, "", peer=1)
    assert notice_words(transfer, "bob").startswith("The transfer of a file (bob)")


def test_every_failure_of_a_message_has_a_sentence_and_an_older_sentence_is_shown() -> None:
    assert all(failure_words(code)[0].isupper() for code in MessageFailure)
    assert failure_words("Withdrawn before it was sent.") == "Withdrawn before it was sent."


def test_a_reason_that_only_a_newer_engine_knows_is_shown_as_it_is() -> None:
    assert reason_words(Reason("moon-phase", ["full"]), "bob") == "moon-phase full"
    assert reason_words(Reason("host-not-found", []), "bob") == " cannot be found: ."


def test_who_has_to_upgrade() -> None:
    for theirs, side in ((1, "on bob's side"), (3, "here")):
        sentence = reason_words(reason(LinkReason.OTHER_VERSION, theirs, 2), "bob")
        assert sentence.endswith(f"Upgrade ChatNet {side}.")


def test_a_link_without_a_reason_has_the_sentence_of_its_state() -> None:
    silent = link_sentence(LinkRow(1, LinkState.SILENT, 0), "bob", "5 min")
    assert silent.startswith("bob has not answered for 5 min.")
    assert link_sentence(LinkRow(1, LinkState.UP, 0), "bob") == ""
    states = [LinkState(state) for state in LinkState if state != LinkState.UP]
    assert all("bob" in link_sentence(LinkRow(1, state, 0), "bob") for state in states)


def test_every_link_state_has_words() -> None:
    assert set(words.LINK_WORDS) == set(LinkState)


@pytest.mark.parametrize("mine", list(RestoreMine))
@pytest.mark.parametrize("theirs", list(RestoreTheirs))
def test_every_step_of_a_restore_has_words(mine: RestoreMine, theirs: RestoreTheirs) -> None:
    row = RestoreRow(1, mine, theirs, 1)
    assert bool(words.asking_words(row, "bob")) is (mine != RestoreMine.NONE)
    assert bool(words.giving_words(row, "bob")) is (theirs != RestoreTheirs.NONE)
    open_ends = {"possible", "asking", "running", "asked", "giving"}
    assert words.is_open(row) is bool({str(mine), str(theirs)} & open_ends)


def test_counts() -> None:
    assert words.asking_words(RestoreRow(1, RestoreMine.DONE), "bob").startswith("bob has none")
    assert words.asking_words(RestoreRow(1, RestoreMine.DONE, restored=1), "bob").endswith(
        "is restored: 1 message."
    )
    assert words.asking_words(RestoreRow(1, "later", "later"), "bob") == ""
    assert words.giving_words(RestoreRow(1, "later", "later"), "bob") == ""


def test_numbers_are_written_alike() -> None:
    shares = (0, 0.0004, 0.004, 0.02, 0.0996, 0.5, 1)
    assert [numbers.percent_words(share) for share in shares] == [
        "0%", "0%", "0.4%", "2.0%", "10%", "50%", "100%",
    ]  # fmt: skip
    assert [numbers.rtt_words(rtt_ms) for rtt_ms in (0.04, 9.94, 31.4)] == [
        "0.0 ms", "9.9 ms", "31 ms",
    ]  # fmt: skip
    assert numbers.loss_words(0.2) == "loss 20%"


def test_a_link_is_shown_with_the_numbers_that_it_has() -> None:
    assert numbers.gauge_words({}) == []
    assert numbers.gauge_words({"rtt_ms": 0.0, "loss": 0.0}) == ["loss 0% out, 0% in"]
    gauge = {
        "rtt_ms": 31.4, "loss": 0.2, "loss_in": 0.03, "bursty": True, "burst_ms": 20.0, "copies": 3,
        "path_rate_bytes_s": 11.8e6, "queue_ms": 1.5, "mtu_bytes": 1472,
    }  # fmt: skip
    assert " · ".join(numbers.gauge_words(gauge)) == (
        "RTT 31 ms · loss 20% out, 3.0% in · bursts of 20 ms · 3 copies of each message · "
        "path 11.8 MB/s, queue 1.5 ms · datagrams up to 1472 B"
    )
    assert numbers.gauge_words({"copies": 1}) == ["1 copy of each message"]


def test_each_state_of_a_message_has_a_sentence() -> None:
    sentences = [states.state_sentence(state, "bob") for state in states.STATES]
    assert len(set(sentences)) == len(states.STATES)
    assert states.state_sentence("new-one", "bob") == "New-one"
    assert (states.after_words("read"), states.after_words("sent")) == ("Read", "")
