"""The own name and the inbox change while the engine runs: kept, published, sent to peers."""

import msgspec
import pytest

from chatnet_engine.node.front_ends.own_settings import MAX_PATH_BYTES, checked, chosen
from chatnet_engine.store_ops.settings import StoreSettings
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import SessionRow
from chatnet_protocol.limits import MAX_DISPLAY_NAME_BYTES
from simworld.client import SimClient
from simworld.engine import SimEngine
from simworld.file_pair import FilePair
from simworld.pair import Pair

STARTED = SessionRow("1", "Anna", "", 1, b"", "", "/default")


def change(
    pair: Pair,
    display_name: str | None = None,
    inbox: str | None = None,
    limit_bytes_s: int | None = None,
) -> str:
    """The code of the failure, empty for none."""
    asked = pair.at_a.ask(cmd.SetSession(display_name, inbox, limit_bytes_s))
    pair.run(1)
    failure = pair.at_a.replies[asked].failure
    return failure.code if failure else ""


def connected(seed: int) -> Pair:
    pair = Pair(seed)
    pair.at_a.say("before")
    pair.settle(10)
    return pair


def own(client: SimClient) -> tuple[str, str]:
    assert client.view
    return client.view.session.display_name, client.view.session.inbox


def inbox(engine: SimEngine) -> str:
    return engine.node.transfers.transfers.inbox


def test_another_name_is_shown_by_every_front_end_and_by_the_peer() -> None:
    pair = connected(1)
    second = pair.a.attach("second")
    pair.run(1)
    assert pair.peer(pair.at_b).info.display_name == "a"
    assert change(pair, display_name="  Ann  ") == ""
    assert own(pair.at_a) == own(second) == ("Ann", "/inbox")
    assert pair.peer(pair.at_b).info.display_name == "Ann"
    pair.check(["before"], [])


def test_a_name_can_be_taken_away() -> None:
    pair = connected(2)
    change(pair, display_name="")
    assert pair.peer(pair.at_b).info.display_name == ""


def test_the_same_once_more_is_no_event() -> None:
    pair = connected(3)
    change(pair, display_name="Ann")
    before = pair.a.node.turn.publisher.seq
    assert change(pair, display_name="Ann") == ""
    assert pair.a.node.turn.publisher.seq == before


def test_another_inbox_is_for_what_is_accepted_from_now_on() -> None:
    pair = connected(4)
    change(pair, inbox="/elsewhere")
    assert own(pair.at_a) == ("a", "/elsewhere")
    assert inbox(pair.a) == "/elsewhere"
    change(pair, inbox="")
    assert inbox(pair.a) == "/inbox"


def test_both_outlive_the_engine() -> None:
    pair = connected(5)
    change(pair, display_name="Ann", inbox="/elsewhere")
    pair.a.crash()
    pair.a.up()
    pair.run(5)
    assert own(pair.at_a) == ("Ann", "/elsewhere")
    assert inbox(pair.a) == "/elsewhere"
    asked = pair.at_a.ask(cmd.FetchStatus())
    pair.run(1)
    status = pair.at_a.replies[asked].result
    assert isinstance(status, cmd.Status)
    assert (status.facts["name"], status.facts["inbox"]) == ("Ann", "/elsewhere")
    pair.check(["before"], [])


def test_a_peer_that_is_away_sees_the_new_name_with_the_next_link() -> None:
    pair = connected(6)
    pair.b.crash()
    pair.run(1)
    change(pair, display_name="Ann")
    pair.b.up()
    pair.at_b.say("back")
    pair.settle()
    assert pair.peer(pair.at_b).info.display_name == "Ann"


@pytest.mark.parametrize("seed", range(8))
def test_a_name_changed_while_a_link_begins_arrives(seed: int) -> None:
    pair = Pair(seed, commit_s=(0.05, 0.2))
    pair.at_a.ask(cmd.SetSession(display_name="Ann"))
    pair.run(10)
    assert pair.peer(pair.at_b).info.display_name == "Ann"


def test_a_name_that_is_too_long_on_the_wire_is_a_violation() -> None:
    pair = connected(7)
    link = pair.a.node.links.sessions.get(1)
    assert link
    link.connection.set_state(4, msgspec.msgpack.encode(["x" * (MAX_DISPLAY_NAME_BYTES + 1)]))
    pair.a.node.turn.due.touch(1)
    pair.a.turn()
    pair.run(1)
    assert pair.peer(pair.at_b).info.display_name == "a"
    assert pair.peer(pair.at_b).link.state != "up"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (cmd.SetSession("x" * (MAX_DISPLAY_NAME_BYTES + 1)), ErrorCode.INVALID),
        (cmd.SetSession("a\nb"), ErrorCode.INVALID),
        (cmd.SetSession(inbox="relative"), ErrorCode.INVALID),
        (cmd.SetSession(inbox="/nul\0"), ErrorCode.INVALID),
        (cmd.SetSession(inbox="/" + "x" * MAX_PATH_BYTES), ErrorCode.TOO_LARGE),
    ],
)
def test_what_cannot_be_is_refused(command: cmd.SetSession, code: ErrorCode) -> None:
    with pytest.raises(CommandError) as caught:
        checked(command, STARTED)
    assert caught.value.code == code


def test_what_is_just_allowed_is_taken() -> None:
    longest = "x" * MAX_DISPLAY_NAME_BYTES
    folder = "/" + "x" * (MAX_PATH_BYTES - 1)
    op = checked(cmd.SetSession(longest, folder), STARTED)
    assert (op.name, op.inbox) == (longest, folder)


def test_what_is_not_named_stays() -> None:
    op = checked(cmd.SetSession(inbox="/x"), STARTED)
    assert op == StoreSettings(None, "Anna", "/x")
    assert chosen(STARTED, op, "/default") == msgspec.structs.replace(STARTED, inbox="/x")
    assert chosen(STARTED, checked(cmd.SetSession(), STARTED), "/default") == STARTED


def limits(pair: Pair) -> list[int]:
    """What the file process of A was asked for."""
    assert pair.a.files
    return pair.a.files.process.limits


def test_a_limit_holds_at_once_for_all_that_moves_and_lasts() -> None:
    pair = FilePair(3)
    assert change(pair, limit_bytes_s=50_000) == ""
    assert limits(pair) == [50_000]
    view = pair.at_a.view
    assert view
    assert view.session.limit_bytes_s == 50_000
    assert change(pair, limit_bytes_s=50_000) == ""
    assert limits(pair) == [50_000], "nothing has changed"
    assert change(pair, limit_bytes_s=19_999) == ErrorCode.INVALID
    assert change(pair, limit_bytes_s=-1) == ErrorCode.INVALID
    pair.a.crash()
    pair.a.up()
    pair.run(5)
    assert limits(pair)[-1] == 50_000
    assert change(pair, limit_bytes_s=0) == ""
    assert limits(pair)[-1] == 0
