"""Why a link is as it is: the only place with these sentences. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from chatnet_client.words.sentences import Sentence, sentence_of
from chatnet_protocol.ipc.reasons import LinkReason, Reason
from chatnet_protocol.ipc.rows import LinkRow, LinkState

A_WHILE = "a while"


def _other_version(name: str, reason: Reason) -> str:
    theirs, ours = reason.param(0), reason.param(1)
    is_older = theirs.isdecimal() and ours.isdecimal() and int(theirs) < int(ours)
    side = f"on {name}'s side" if is_older else "here"
    return (
        f"An unconfirmed answer from there says that it speaks version {theirs} of the protocol; "
        f"this side speaks {ours}. Upgrade ChatNet {side}."
    )


_SENTENCES: Mapping[str, Sentence] = MappingProxyType(
    {
        LinkReason.NO_ANSWER: (
            "No answer from {name} yet. Is ChatNet running there, and is its UDP port open?"
        ),
        LinkReason.HOST_UNKNOWN: "The host name {0} is not known.",
        LinkReason.HOST_NOT_FOUND: "{0} cannot be found: {1}.",
        LinkReason.HOST_INVALID: "{0} is not a host name.",
        LinkReason.HOST_WITHOUT_ADDRESS: "{0} has no address that can be reached from here.",
        LinkReason.HOST_NEEDS_IPV6: "{0} needs IPv6, which is not available here.",
        LinkReason.LOOKUP_SLOW: "Looking up {0} took too long.",
        LinkReason.LOOKUPS_BUSY: "Too many host names are being looked up.",
        LinkReason.NO_INVITE: (
            "The invite has ended, or the engine was restarted. Make a new one, or enter it again."
        ),
        LinkReason.UNINVITED: (
            "Somebody without the invite code called from there. Still waiting for {name}."
        ),
        LinkReason.OWN_ADDRESS: (
            "An unconfirmed answer: this address leads back to this very session. Enter {name}'s "
            "address instead."
        ),
        LinkReason.OTHER_VERSION: _other_version,
        LinkReason.KEY_CHANGED: (
            "Someone with a different key answers as {name}: it was reinstalled, or somebody is in "
            "between. Messages wait. Compare safety numbers before you trust the new key."
        ),
        LinkReason.KEY_NOT_VOUCHED: (
            "{name} answers with the key that the history remembers, but known_peers no longer "
            "lists it. Messages wait. Compare safety numbers before you trust it again."
        ),
        LinkReason.NOT_ACCEPTED: "{name} has to accept you first. Asking again every minute.",
        LinkReason.NOT_TRUSTED: "{name} does not trust your key and has to accept it first.",
        LinkReason.PEER_REFUSED: "{name} closed the connection: {0}.",
        LinkReason.PEER_STOPPED: "{name} is not running ChatNet at the moment. Messages wait.",
        LinkReason.PEER_CLOSED: "{name} closed the connection. Reconnecting; messages wait.",
        LinkReason.VIOLATION: (
            "The connection to {name} was closed because it broke the protocol: {0}."
        ),
        LinkReason.UNANSWERED: (
            "{name} has not answered for {since}. "
            "Your messages will be sent when the connection is back."
        ),
        LinkReason.ENGINE_FAILED: "The engine failed while handling {name}. Reconnecting.",
        LinkReason.UNREADABLE: "{name} cannot be read from the history. Trying again.",
        LinkReason.READ_AGAIN: "Reading {name} from the history again. Reconnecting.",
    }
)
_BY_STATE: Mapping[str, Sentence] = MappingProxyType(
    {
        LinkState.IDLE: "{name} has no address to call. Waiting for {name} to connect.",
        LinkState.RESOLVING: "Looking up the address of {name} …",
        LinkState.DIALLING: _SENTENCES[LinkReason.NO_ANSWER],
        LinkState.SILENT: _SENTENCES[LinkReason.UNANSWERED],
        LinkState.PENDING: _SENTENCES[LinkReason.NOT_ACCEPTED],
        LinkState.REFUSED: "{name} refuses the connection. Messages wait.",
        LinkState.KEY_CHANGED: _SENTENCES[LinkReason.KEY_CHANGED],
    }
)
"""Where no reason came along."""


def reason_words(reason: Reason, name: str, since: str = A_WHILE) -> str:
    """The sentence for a reason about the peer `name`; a newer engine's code as it is."""
    return sentence_of(_SENTENCES, reason, name, since=since)


def link_sentence(row: LinkRow, name: str, since: str = A_WHILE) -> str:
    """What there is to say about a link to `name`; empty while it is up, or for a new state.

    `since`: how long the link has been in its state.
    """
    if row.reason is not None:
        return reason_words(row.reason, name, since)
    return str(_BY_STATE.get(row.state, "")).format(name=name, since=since)
