"""Owns the words that every front end uses for the same fact: sizes, links, what a peer is called,
a restore.

Pure. What is returned may hold what a peer wrote: a front end makes it harmless for its own screen.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from chatnet_client.client_events import Cause, Outage
from chatnet_protocol.addresses import show_address, split_address
from chatnet_protocol.ipc.rows import (
    BY_RESTORED,
    ENDED_TRANSFER_STATES,
    LinkState,
    PeerRow,
    RestoreMine,
    RestoreRow,
    RestoreTheirs,
    SessionRow,
    TransferRow,
    TransferState,
)

_IP_CHARACTERS = frozenset("0123456789abcdef.:%[]")
ON_LINK = "over the link, as TCP does not get through"
"""How the bytes of a file travel, where it is not TCP."""

LINK_WORDS: Mapping[str, str] = MappingProxyType(
    {
        LinkState.IDLE: "no address",
        LinkState.RESOLVING: "looking up the address",
        LinkState.DIALLING: "connecting",
        LinkState.UP: "connected",
        LinkState.SILENT: "not answering",
        LinkState.PENDING: "waiting to be accepted",
        LinkState.REFUSED: "refused",
        LinkState.KEY_CHANGED: "key changed",
    }
)
"""A newer engine may know more states: show the state itself then."""

BLOCKED = "blocked"
"""Instead of a link's state, of a peer that a person has blocked."""

ENGINE_DIED = "the engine's process ended"
"""EngineLost.reason of one that gave none."""
NO_ANSWER = "the engine does not answer"
"""EngineLost.reason of one that fell silent."""
LEAVING = 'The engine keeps running; stop it with "chatnet stop".'
"""When a front end ends."""


LEAVING_WITHOUT_ENGINE = "The engine is not running."
"""When a front end ends while the engine is away."""
RESTARTED = "The engine crashed ({cause}) and was started again."
RESTARTING = "The engine crashed and is being started again …"
GAVE_UP = "The engine crashed five times within a minute ({cause}) and is not started again."


def kept_words(count: int) -> str:
    """When a front end ends while texts wait for the engine."""
    are = "is" if count == 1 else "are"
    return f"{count_words(count)} {are} kept and sent by the next window or chat."


def cause_words(died_of: str) -> str:
    """What an engine died of (`SessionRow.died_of`), for people."""
    if died_of == "internal-error":
        return "an internal error; the log says which"
    return f"killed by {died_of}" if died_of.startswith("SIG") else died_of


def restarted_words(row: SessionRow) -> str:
    """That this engine was started again after it died; empty: it was not."""
    return RESTARTED.format(cause=cause_words(row.died_of)) if row.restarts else ""


def outage_words(outage: Outage) -> str:
    """Why no engine answers, one or two sentences; each front end adds how to start one."""
    match outage.cause:
        case Cause.SILENT:
            return "Lost contact with the engine; reconnecting …"
        case Cause.RESTARTING:
            return RESTARTING
        case Cause.ABSENT if outage.detail:
            return f"The engine is not running; {outage.detail} starts it."
        case Cause.ABSENT:
            return "The engine is not running."
        case Cause.STOPPED:
            return "The engine was stopped."
        case Cause.REFUSED:
            return f"The engine could not start. {outage.detail}"
        case Cause.GAVE_UP:
            return GAVE_UP.format(cause=cause_words(outage.detail))


def engine_lost_words(reason: str) -> str:
    """What to say when the engine went away for `reason` (EngineLost.reason)."""
    if reason in (NO_ANSWER, ENGINE_DIED):
        return "Lost contact with the engine; reconnecting …"
    return f"The engine was stopped ({reason})."


def size_words(size_bytes: float) -> str:
    """`812 B`, `1.4 MB`: decimal units, as file managers show them."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def guess_words(word: str, known: Iterable[str], prefix: str = "") -> str:
    """` Did you mean "send"?` for a mistyped `word`, else nothing."""
    from difflib import get_close_matches  # no window guesses commands

    close = get_close_matches(word.lower(), list(known), n=1)
    return f' Did you mean "{prefix}{close[0]}"?' if close else ""


def is_named(row: PeerRow) -> bool:
    """Whether somebody here gave the peer a name; an address alone, typed or met, is none."""
    typed = show_address(row.host, row.port)
    return bool(row.name) and row.name != typed and not _is_numeric_address(row.name)


def _is_numeric_address(name: str) -> bool:
    """Whether it is what the engine calls somebody who came by an invite or unasked."""
    host, port = split_address(name) or ("", "")
    is_ip = ("." in host or ":" in host) and _IP_CHARACTERS.issuperset(host)
    return is_ip and port.isdecimal()


def name_of(row: PeerRow) -> str:
    """What a peer is called: the name given here, else its own, else its address."""
    if is_named(row):
        return row.name
    return row.display_name or row.name or row.address or f"peer {row.peer}"


def can_fetch(row: TransferRow) -> bool:
    """Whether accepting it once more may bring files that ended, or a record, here (again)."""
    theirs = row.state == TransferState.CANCELLED and row.by == "peer"
    return not row.mine and row.state in ENDED_TRANSFER_STATES and not theirs


def is_record(row: TransferRow) -> bool:
    """Whether it was restored with the conversation: nobody here knows how it ended."""
    return row.state == TransferState.FAILED and row.by == BY_RESTORED


def count_words(count: int) -> str:
    """`1 message`, `12 messages`."""
    return f"{count} message" if count == 1 else f"{count} messages"


def is_open(row: RestoreRow) -> bool:
    """Whether something is under way or waits for somebody here; what has ended is news once."""
    ended = (RestoreMine.NONE, RestoreMine.DONE, RestoreMine.REFUSED)
    return row.mine not in ended or row.theirs in (RestoreTheirs.ASKED, RestoreTheirs.GIVING)


def asking_words(row: RestoreRow, name: str) -> str:
    """The state of our restore request to `name`; empty: there is none."""
    match row.mine:
        case RestoreMine.POSSIBLE:
            return f"Part of your conversation with {name} is missing here."
        case RestoreMine.ASKING:
            return f"Asked {name} for the missing part of your conversation; {name} has to consent."
        case RestoreMine.RUNNING:
            back = count_words(row.restored)
            return f"Your conversation with {name} is being restored: {back} so far."
        case RestoreMine.DONE if row.restored:
            return f"Your conversation with {name} is restored: {count_words(row.restored)}."
        case RestoreMine.DONE:
            return f"{name} has none of the missing messages."
        case RestoreMine.REFUSED:
            return f"{name} declined to send you the conversation."
        case _:
            return ""


def giving_words(row: RestoreRow, name: str) -> str:
    """The state of the restore request of `name`; empty: there is none."""
    match row.theirs:
        case RestoreTheirs.ASKED:
            return f"{name} has lost messages and asks you for a copy of your conversation."
        case RestoreTheirs.GIVING:
            return f"{name} is receiving a copy of your conversation."
        case RestoreTheirs.GIVEN:
            return f"{name} has received a copy of your conversation."
        case RestoreTheirs.REFUSED:
            return f"You declined to send {name} the conversation."
        case _:
            return ""
