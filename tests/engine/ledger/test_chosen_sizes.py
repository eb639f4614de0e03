"""What sizes of files earlier versions stored for a peer, and what becomes of them."""

import pytest

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.migrations import STEPS, migrate
from chatnet_engine.ledger.schema import open_memory
from chatnet_protocol.limits import AUTO_ACCEPT_BYTES


@pytest.mark.parametrize(
    ("host", "trust", "size_bytes", "kept_bytes", "chosen", "is_news"),
    [
        ("h", "pinned", AUTO_ACCEPT_BYTES, AUTO_ACCEPT_BYTES, False, False),
        ("h", "pinned", 0, 0, True, False),
        ("h", "pinned", 5_000, 5_000, True, False),
        ("", "pinned", 0, 0, False, False),
        ("", "verified", 0, 0, True, False),
        ("", "pinned", 2**62, 2**62, True, False),
        ("", "verified", AUTO_ACCEPT_BYTES, AUTO_ACCEPT_BYTES, False, False),
        ("", "pinned", AUTO_ACCEPT_BYTES, 0, False, True),
    ],
)
def test_what_a_person_chose_is_kept_and_a_default_follows_the_new_rule(
    host: str, trust: str, size_bytes: int, kept_bytes: int, chosen: bool, is_news: bool
) -> None:
    connection = open_memory()
    migrate(connection, STEPS[:2])
    connection.execute(
        "INSERT INTO peers (peer, listed, merged_into, author, name, host, port, key, trust,"
        " display_name, address, safety_number, offered_key, auto_accept_bytes)"
        " VALUES (1, 1, 0, 1, 'n', ?, 0, x'', ?, '', '', '', x'', ?)",
        (host, trust, size_bytes),
    )
    connection.execute("INSERT INTO counters (peer) VALUES (1)")
    loaded = Ledger(connection).load()
    (row,) = loaded.peers
    assert (row.auto_accept_bytes, row.auto_accept_set) == (kept_bytes, chosen)
    assert loaded.asking_now == ([1] if is_news else [])
