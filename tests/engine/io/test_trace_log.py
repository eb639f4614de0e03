"""Lines of the log that come of traces: hidden addresses, and no flood of one kind."""

import logging
import re

import pytest

from chatnet_engine.io.trace_log import (
    LINE_EVERY_S,
    LINES_AT_ONCE,
    TraceLog,
    hide,
    salt_of,
    to_row,
)
from chatnet_engine.trace import Code, Field, Kind, Tag, Trace
from chatnet_protocol.ipc.trace import TraceRow, format_trace

SALT = salt_of(b"k" * 32)
ADDR = ("192.168.233.128", 12346)
ROAMED = Trace(3, Kind.PATH_ASSIGNED, {"address": ADDR})


def test_an_address_is_hidden_but_can_be_told_from_another_one() -> None:
    hidden = hide(ADDR, SALT)
    assert re.fullmatch(r"ipv4#[0-9a-f]{6}:12346", hidden)
    assert hidden == hide(ADDR, salt_of(b"k" * 32))
    assert hidden.split(":")[0] != hide(("192.168.233.129", 12346), SALT).split(":")[0]
    assert hidden != hide(ADDR, salt_of(b"l" * 32))
    assert hide(("fe80::1", 1), SALT).startswith("ipv6#")


def test_a_row_holds_plain_values() -> None:
    fields: dict[str, Field] = {
        "old": Code("up"),
        "ours": Tag(255),
        "rtt_ms": 1.5,
        "probe": True,
        "address": ADDR,
    }
    row = to_row(Trace(1, Kind.LINK_STATE, fields), None)
    assert row == TraceRow(
        1,
        "connectivity:connection_state_updated",
        {
            "old": "up",
            "ours": "000000ff",
            "rtt_ms": 1.5,
            "probe": "yes",
            "address": "192.168.233.128:12346",
        },
    )
    assert {type(value) for value in row.fields.values()} == {str, float}


def test_a_line_names_the_peer_and_quotes_what_has_spaces() -> None:
    row = TraceRow(2, "a:b", {"rtt_ms": 12.34567, "reason": "it broke a rule", "by": "", "n": 3})
    assert format_trace(row) == 'a:b peer=2 rtt_ms=12.35 reason="it broke a rule" by="" n=3'
    assert format_trace(TraceRow(0, "a:b", {})) == "a:b"


def test_the_story_is_logged_at_info_with_hidden_addresses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    log = TraceLog(SALT, full=False)
    log.write(ROAMED, 0.0)
    log.write(Trace(3, Kind.PACKET_LOST, {"number": 7}), 0.0)
    assert [record.getMessage() for record in caplog.records] == [
        f"connectivity:path_assigned peer=3 address={hide(ADDR, SALT)}"
    ]
    assert caplog.records[0].levelno == logging.INFO


def test_at_debug_everything_is_logged_in_full(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = TraceLog(SALT, full=True)
    log.write(ROAMED, 0.0)
    log.write(Trace(3, Kind.PACKET_LOST, {"number": 7}), 0.0)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.INFO, "connectivity:path_assigned peer=3 address=192.168.233.128:12346"),
        (logging.DEBUG, "recovery:packet_lost peer=3 number=7"),
    ]


def test_a_link_that_comes_and_goes_all_night_leaves_the_others_their_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    log = TraceLog(SALT, full=False)
    for _ in range(LINES_AT_ONCE + 5):
        log.write(ROAMED, 100.0)
    assert len(caplog.records) == LINES_AT_ONCE
    log.write(Trace(4, Kind.PATH_ASSIGNED, {"address": ADDR}), 100.0)
    assert len(caplog.records) == LINES_AT_ONCE + 1
    log.write(ROAMED, 100.0 + LINE_EVERY_S)
    assert caplog.records[-1].getMessage().endswith(" (and 5 more since the last)")
    log.write(ROAMED, 100.0 + 2 * LINE_EVERY_S)
    assert "more since" not in caplog.records[-1].getMessage()
