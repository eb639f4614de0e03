"""What can be done with a message, and what each of these actions is called. Pure."""

from chatnet_client.words import can_fetch
from chatnet_client.words.offers import can_allow_updates
from chatnet_protocol.ipc.reasons import UpdateReason
from chatnet_protocol.ipc.rows import TransferState
from chatnet_qt.bubble import Bubble

SHOW_ALL = "show-all"
ACTION_WORDS = {
    "accept": "Accept",
    "accept-to": "Save to…",
    "reject": "Decline",
    "always": "Always accept…",
    "allow-updates": "Allow updates",
    "forbid-updates": "Stop updates",
    "pause": "Pause",
    "resume": "Resume",
    "cancel": "Cancel",
    "open": "Open",
    "folder": "Open folder",
    "again": "Send again",
    "fetch": "Download again",
    "retry-text": "Try again",
    "take-back": "Take back",
    "delete-text": "Delete",
    "answered": "Show this message",
    "copy": "Copy text",
    "menu": "More",
    SHOW_ALL: "Show all",
}
ICONS = {"pause": "pause", "resume": "play", "cancel": "close", "copy": "copy", "menu": "more"}
"""Actions that are quiet pictures; all others are words."""
LOUD = frozenset({"accept"})
"""What waits for a decision; to do again what has ended is an offer."""


def actions_of(bubble: Bubble) -> list[str]:
    """What can be done with the transfer in a bubble, the most likely first."""
    transfer = bubble.transfer
    if transfer is None:
        return []
    match transfer.state:
        case TransferState.OFFERED:
            return ["cancel"] if transfer.mine else ["accept", "accept-to", "reject", "always"]
        case TransferState.WAITING | TransferState.ACTIVE:
            return ["pause", "cancel"]
        case TransferState.PAUSED:
            return ["resume", "cancel"] if transfer.by != "peer" else ["cancel"]
        case TransferState.VERIFYING:
            return ["cancel"]
        case TransferState.DONE:
            if transfer.mine or not transfer.path:
                return []
            problem = transfer.differences.not_updated if transfer.differences else ""
            ask = problem == UpdateReason.NOT_ALLOWED and not transfer.updates_allowed
            return ["open", "folder", *(["allow-updates"] if ask else [])]
        case TransferState.FAILED | TransferState.CANCELLED | TransferState.REJECTED:
            again = transfer.mine and transfer.files == 1 and transfer.path
            return ["again"] if again else ["fetch"] if can_fetch(transfer) else []
        case _:  # a newer engine's
            return []


def more_actions_of(bubble: Bubble) -> list[str]:
    """What can be done besides, which nobody needs often enough for a button."""
    known = actions_of(bubble)
    if bubble.offer is None or bubble.row.mine:
        return []
    transfer = bubble.transfer
    # A transfer that the view no longer holds has ended long ago; the engine still knows it.
    more = ["fetch"] if transfer is None or can_fetch(transfer) else []
    if transfer is not None and can_allow_updates(transfer):
        more.append("forbid-updates" if transfer.updates_allowed else "allow-updates")
    return [action for action in more if action not in known]


def failed_actions(bubble: Bubble) -> list[str]:
    """What can be done about a text that was not sent."""
    return ["take-back"] if bubble.is_kept else ["delete-text", "retry-text"]


def is_quiet(bubble: Bubble, action: str) -> bool:
    """Whether an action is offered as a link: somebody has decided against it before."""
    ended = bubble.transfer.state if bubble.transfer else ""
    return action in ("always", "allow-updates", "retry-text", "take-back", "delete-text") or (
        action in ("again", "fetch") and ended in (TransferState.REJECTED, TransferState.CANCELLED)
    )


def action_words(bubble: Bubble, action: str) -> str:
    """What an action is called where it stands."""
    if action == "fetch" and is_quiet(bubble, action):
        return "Download anyway"
    return ACTION_WORDS[action]
