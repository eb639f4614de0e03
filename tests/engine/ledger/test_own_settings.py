"""What a person chose for the session lasts, until a start names another name."""

import msgspec
import pytest

from chatnet_engine.ledger import own_settings
from chatnet_engine.store_ops import settings as cs
from chatnet_protocol.ipc.rows import SessionRow
from simworld.ledger_harness import LedgerHarness


def started(name: str = "") -> SessionRow:
    return SessionRow("1", name, "", 1, b"", "", "/default")


def test_nothing_chosen_leaves_the_session_as_it_was_started() -> None:
    harness = LedgerHarness()
    assert harness.ledger.load_view(started("Anna")).session == started("Anna")


@pytest.mark.parametrize(
    ("given", "now", "shown"),
    [
        ("", "", "Ann"),
        ("Anna", "Anna", "Ann"),
        ("Anna", "", "Ann"),
        ("", "Carol", "Carol"),
        ("Anna", "Carol", "Carol"),
    ],
)
def test_a_chosen_name_gives_way_to_another_one_of_a_start(
    given: str, now: str, shown: str
) -> None:
    harness = LedgerHarness()
    harness.do(cs.StoreSettings("Ann", given, None))
    session = harness.ledger.load_view(started(now)).session
    assert (session.display_name, session.inbox) == (shown, "/default")


def test_a_chosen_inbox_lasts_until_the_default_is_chosen_again() -> None:
    harness = LedgerHarness()
    harness.do(cs.StoreSettings(None, "", "/elsewhere"))
    again = LedgerHarness.from_image(harness.image())
    assert again.ledger.load_view(started()).session.inbox == "/elsewhere"
    assert own_settings.store(again.connection, cs.StoreSettings(None, "", "")) == (
        cs.SettingsStored()
    )
    assert again.ledger.load_view(started("Anna")).session == started("Anna")


@pytest.mark.parametrize(
    ("chosen", "given", "now", "shown"),
    [
        (7, 0, 0, 7),
        (0, 5, 5, 0),
        (7, 5, 5, 7),
        (7, 5, 0, 7),
        (7, 5, 6, 6),
        (7, 0, 6, 6),
    ],
)
def test_a_chosen_limit_gives_way_to_another_one_of_a_start(
    chosen: int, given: int, now: int, shown: int
) -> None:
    harness = LedgerHarness()
    harness.do(cs.StoreSettings(None, "", None, chosen, given))
    session = msgspec.structs.replace(started(), limit_bytes_s=now)
    assert harness.ledger.load_view(session).session.limit_bytes_s == shown


def test_what_a_peer_calls_itself_lasts() -> None:
    harness = LedgerHarness()
    bob = harness.add_peer()
    assert harness.do(cs.StoreDisplayName(bob, "Bob B.")) == cs.DisplayNameStored(bob, "Bob B.")
    again = LedgerHarness.from_image(harness.image())
    assert again.view.peers[0].info.display_name == "Bob B."


def test_damaged_settings_are_the_defaults() -> None:
    harness = LedgerHarness()
    harness.connection.execute(
        "UPDATE totals SET own_name = CAST(x'ff' AS TEXT), own_inbox = CAST(x'ff' AS TEXT)"
    )
    assert harness.ledger.load_view(started()).session == started()
