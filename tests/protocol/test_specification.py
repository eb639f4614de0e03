"""protocol/README.md names everything that the code puts on a wire, with fields, types and values.

Commands, results, events and gauges have one line in a table each, rows a table of numbered
fields: both are read here and compared with the code, defaults included.
"""

import enum
import json
import re
from functools import cache
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, get_args, get_origin

import msgspec
import pytest

from chatnet_engine.node.recovery.restoring import MAX_RESTORE_REQUESTS
from chatnet_protocol import limits, version
from chatnet_protocol.errors import CloseCode, ErrorCode
from chatnet_protocol.ipc import (
    commands,
    envelope,
    events,
    offer,
    reasons,
    rows,
    session_files,
    trace,
    view,
)
from chatnet_protocol.wire import datagrams, frames, listing, messages, restoring

FOLDER = Path(__file__).resolve().parents[2] / "protocol"
NUMBERED_FIELD = re.compile(r"^\| (\d+) \| `(\w+)` \| ([^|]*) \|", re.MULTILINE)
FIELD = re.compile(r"`(\w+)` (\[*\w+\]*\??)(?: 16| 8| ≥ \d)?(?: = (.+))?")
Fields = list[tuple[str, str, str]]
MAPS = [
    *get_args(commands.Command),
    *get_args(commands.Result),
    *(kind for kind in get_args(events.Event) if kind is not events.SkippedEvent),
    *get_args(events.Gauge),
]
FRAMES = [
    envelope.Publication,
    envelope.Heartbeat,
    envelope.GaugeFrame,
    envelope.TraceFrame,
    envelope.Request,
    envelope.Reply,
    envelope.Failure,
]
ARRAYS = [
    *(value for value in vars(rows).values() if getattr(value, "__struct_fields__", ())),
    reasons.Reason,
    commands.Cursor,
    trace.TraceRow,
    view.View,
    view.PeerView,
    offer.Offer,
    offer.OfferedFile,
    offer.OfferedFolder,
    offer.OfferedListing,
    offer.ListedThing,
    listing.ListedFolder,
    listing.ListedFile,
    messages.Hello,
    messages.Message,
    restoring.RestoredRow,
]
FRAME_TYPES = [
    *("PADDING", "PING", "ACK", "HELLO", "MESSAGE", "MESSAGES", "RECEIPT", "CHANNEL_RECEIPT"),
    *("STATE", "CLOSE", "PATH_CHALLENGE", "PATH_RESPONSE"),
]
DATAGRAM_TYPES = ["INIT", "RESP", "FIN", "DATA", "COOKIE", "VERSION"]


@cache
def specification() -> str:
    return (FOLDER / "README.md").read_text(encoding="utf-8")


def lines_about(name: str) -> list[list[str]]:
    """The cells of every table line whose first cell names `name`, after a number or not."""
    table = [line for line in specification().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" |")] for line in table]
    return [line for line in cells if re.match(rf"`{re.escape(name)}`( |$)", line[0])]


def type_name(kind: Any) -> str:
    """How the specification writes the type of a field."""
    if kind in (int, float, bool, str, bytes):
        return str(kind.__name__)
    if get_origin(kind) is list:
        return f"[{type_name(get_args(kind)[0])}]"
    if get_origin(kind) is tuple:
        return f"[{type_name(get_args(kind)[0])}]"
    if get_origin(kind) is dict:
        return "map"
    if isinstance(kind, UnionType):
        members = [member for member in get_args(kind) if member is not NoneType]
        names = {commands.Command: "command", events.Event: "event", events.Gauge: "gauge"}
        joined = members[0] if len(members) == 1 else None
        if joined is None:
            results = set(members) == set(get_args(commands.Result))
            return "result?" if results else names[kind]
        return f"{type_name(joined)}?"
    return str(kind.__name__)


def default_text(field: msgspec.structs.FieldInfo) -> str:
    """How the specification writes the default of a field; empty for none."""
    if field.default_factory is not msgspec.NODEFAULT:
        return "[]"
    match field.default:
        case msgspec.NODEFAULT:
            return ""
        case None:
            return "nil"
        case bool():
            return str(field.default).lower()
        case b"" | rows.RestoreRow():
            return "empty"
        case str():
            return json.dumps(field.default)
        case _:
            return f"{field.default:,}"


def written_fields(text: str) -> Fields:
    """The fields in a cell such as "`peer` int · `into` int = 0"."""
    found = [FIELD.fullmatch(part) for part in text.split(" · ") if part]
    return [(match[1], match[2], match[3] or "") for match in found if match]


def expected_fields(kind: Any) -> Fields:
    return [
        (field.name, type_name(field.type), default_text(field))
        for field in msgspec.structs.fields(kind)
    ]


@pytest.mark.parametrize("kind", [*MAPS, *FRAMES], ids=lambda kind: kind.__name__)
def test_a_line_names_each_field_with_type_and_default(kind: Any) -> None:
    (line,) = lines_about(kind.__name__)
    assert written_fields(line[1]) == expected_fields(kind)


@pytest.mark.parametrize("kind", ARRAYS, ids=lambda kind: kind.__name__)
def test_a_table_names_each_field_in_its_place(kind: Any) -> None:
    start = specification().index(f"\n| | `{kind.__name__}` | type | |\n")
    table = specification()[start + 1 :].partition("\n\n")[0]
    found = NUMBERED_FIELD.findall(table)
    assert [int(number) for number, _, _ in found] == list(range(len(found)))
    written = [written_fields(f"`{name}` {text.strip()}") for _, name, text in found]
    assert written == [[field] for field in expected_fields(kind)]


def test_no_code_has_two_meanings() -> None:
    codes = [str(code) for kind in reasons.KINDS for code in kind]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", reasons.KINDS, ids=lambda kind: kind.__name__)
def test_every_code_of_a_reason_is_named_with_its_parameters(kind: type[enum.StrEnum]) -> None:
    start = specification().index(f"\n| `{kind.__name__}` | parameters | ")
    table = specification()[start + 1 :].partition("\n\n")[0].splitlines()[2:]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    written = [(cells[0].strip("`"), tuple(re.findall(r"`(\w+)`", cells[1]))) for cells in found]
    assert written == [(str(code), reasons.PARAMETERS.get(code, ())) for code in kind]


@pytest.mark.parametrize(
    "kind", [messages.Marks, messages.Typing, messages.Line, messages.DisplayName]
)
def test_states_are_named_with_their_fields(kind: Any) -> None:
    (line,) = [line for line in specification().splitlines() if f"| `{kind.__name__}` |" in line]
    assert written_fields(line.split("|")[3].strip()) == expected_fields(kind)


def test_the_connection_file_is_named_with_its_fields() -> None:
    for field in expected_fields(session_files.ConnectionFile):
        assert [line[1] for line in lines_about(field[0])][:1] == [field[1]]
    for name in ("LOCK", "CONNECTION_FILE", "IDENTITY", "KNOWN_PEERS", "HISTORY", "LOG", "INBOX"):
        assert f"| `{getattr(session_files, name)}" in specification()
    assert f"{session_files.MAX_CONNECTION_FILE_BYTES:,} bytes" in specification()
    assert f"`{session_files.SESSION_NAME.pattern}`" in specification()


def test_what_a_read_only_client_may_send_is_marked() -> None:
    marked = re.findall(r"^\| `(\w+)` \[R\] \|", specification(), re.MULTILINE)
    assert set(marked) == {kind.__name__ for kind in commands.READ_ONLY_COMMANDS}


@pytest.mark.parametrize("kind", get_args(commands.Command), ids=lambda kind: kind.__name__)
def test_a_command_says_its_result(kind: Any) -> None:
    (line,) = lines_about(kind.__name__)
    assert f"Result: {line[2].strip('`')}" in (kind.__doc__ or "")


@pytest.mark.parametrize("module", [limits], ids=["limits"])
def test_every_limit_is_named_with_its_value(module: ModuleType) -> None:
    values = {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and name not in ("KIB", "MIB")
    }
    written = {
        name: float(value.replace(",", ""))
        for name, value in re.findall(r"^\| `([A-Z_]+)` \| ([\d,.]+) \|", specification(), re.M)
    }
    assert written == pytest.approx(values)


def test_no_limit_is_named_that_does_not_exist() -> None:
    upper = set(re.findall(r"`((?:MAX|MIN)_[A-Z_]+)`", specification()))
    assert upper <= set(vars(limits))


@pytest.mark.parametrize("name", FRAME_TYPES)
def test_every_frame_type_is_named_with_its_number(name: str) -> None:
    assert f"| 0x{getattr(frames, name):02x} | `{name}` |" in specification()


def test_every_frame_type_of_the_code_is_known_here() -> None:
    numbers = sorted(getattr(frames, name) for name in FRAME_TYPES)
    assert numbers == list(range(len(frames._DECODERS)))


@pytest.mark.parametrize("name", DATAGRAM_TYPES)
def test_every_datagram_is_named_with_its_number(name: str) -> None:
    assert f"| {getattr(datagrams, name)} | `{name}` |" in specification()


@pytest.mark.parametrize("code", CloseCode)
def test_every_close_code_is_named_with_its_number(code: CloseCode) -> None:
    assert f"| {code.value} | `{code.name}` |" in specification()


@pytest.mark.parametrize(
    "choices",
    [
        *(ErrorCode, rows.Trust, rows.LinkState, rows.TransferState, rows.ClientRole),
        *(rows.RestoreMine, rows.RestoreTheirs, version.Capability),
    ],
    ids=lambda choices: choices.__name__,
)
def test_every_word_of_a_vocabulary_is_named(choices: type[enum.StrEnum]) -> None:
    assert [word.value for word in choices if f"`{word.value}`" not in specification()] == []


def test_numbers_and_topics_are_named() -> None:
    text = specification()
    for kind in rows.MessageKind:
        assert f"{kind.value} `{kind.name}`" in text
    for topic in (
        envelope.TOPIC_EVENTS,
        envelope.TOPIC_HEAD,
        envelope.TOPIC_GAUGES,
        *envelope.TOPICS_BY_NAME,
    ):
        assert f"`{topic.decode()}` a `" in text
    assert f"| {messages.STATE_MARKS} | `Marks` |" in text
    assert f"| {messages.STATE_TYPING} | `Typing` |" in text
    assert f"| {messages.STATE_LINE} | `Line` |" in text
    assert f"| {messages.STATE_NAME} | `DisplayName` |" in text
    assert f"forgotten after {messages.TYPING_KEPT_S:.0f} s" in text
    assert f"(`WIRE_VERSION`) | {version.WIRE_VERSION} |" in text
    assert f"(`IPC_VERSION`) | {version.IPC_VERSION} |" in text


def test_every_vector_file_is_named() -> None:
    files = {path.name for path in (FOLDER / "vectors").glob("*.json")}
    assert {name for name in files if f"| `{name}` |" not in specification()} == set()


def test_the_example_is_made_of_vectors() -> None:
    known = {
        vector["hex"]
        for name in ("ipc.json", "messages.json")
        for vector in json.loads((FOLDER / "vectors" / name).read_text("utf-8"))["vectors"]
    }
    blocks = re.findall(r"```hex\n(.*?)```", specification(), re.DOTALL)
    assert len(blocks) >= 7
    assert [block for block in blocks if "".join(block.split()) not in known] == []


def test_the_links_lead_somewhere() -> None:
    text = specification()
    anchors = {
        re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    assert {link for link in re.findall(r"\]\(#([^)]+)\)", text) if link not in anchors} == set()
    sections = set(re.findall(r"^#+ (\d(?:\.\d+)?)[. ]", text, re.MULTILINE))
    cited = set(re.findall(r"\((?:see )?(\d\.\d+)\)", text))
    assert cited - sections == set()


def test_control_messages_and_their_codes_are_named() -> None:
    control = pytest.importorskip("chatnet_protocol.wire.control")
    for kind in get_args(control.Control):
        line = f"\n| {kind.__struct_config__.tag} | `{kind.__name__}` | "
        cell = specification().partition(line)[2].partition(" |")[0].replace(" 32", "")
        assert written_fields(cell) == expected_fields(kind), kind.__name__
    for code in (*control.Suite, *control.EndCode):
        assert f"\n| {code.value} | `{code.name}` | " in specification()
    for size in (f"at most {control.MAX_CONTROL_BYTES} bytes", f"{control.TOKEN_VALID_S:.0f} s"):
        assert size in specification()


def test_what_brings_a_conversation_back_is_named() -> None:
    for kind in get_args(restoring.Restoring):
        line = f"\n| {kind.__struct_config__.tag} | `{kind.__name__}` | "
        cell = specification().partition(line)[2].partition(" |")[0]
        assert written_fields(cell) == expected_fields(kind), kind.__name__
    said = f"at most {restoring.MAX_PAGE_ROWS} rows and {restoring.PAGE_BYTES // 1024} KiB"
    assert f"{said} ({restoring.ROW_BYTES} bytes a row" in specification()
    assert f"More than {MAX_RESTORE_REQUESTS} requests on one link" in specification()


def test_file_records_are_named() -> None:
    records = pytest.importorskip("chatnet_protocol.wire.file_records")
    for kind in records.RecordType:
        assert f"\n| {kind.value} | `{kind.name}` | " in specification()
    for number in (records.MIN_SEALED_BYTES, records.MAX_SEALED_BYTES):
        assert f"{number:,}" in specification()
    for suite in (1, 2):
        assert f"`{records.noise_name(suite)}`" in specification()
    assert list(records.Position.__struct_fields__) == ["index", "offset"]
    assert list(records.FileHeader.__struct_fields__) == ["index", "offset"]
