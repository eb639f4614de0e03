"""What a notice of the engine says: the only place with these sentences. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from chatnet_client.words.sentences import Sentence, sentence_of
from chatnet_protocol.ipc.events import Notice
from chatnet_protocol.ipc.reasons import NoticeCode, Reason

_REMEDY = (
    "Everything else works. Nothing of it was deleted; a backup from before the damage has it: "
    "see chatnet restore-backup."
)


def _left_out_peer(_name: str, reason: Reason) -> str:
    number, name = reason.param(0), reason.param(1)
    peer = f"{name} (peer {number})" if name else f"Peer {number}"
    return f"{peer} was left out: its row in the history is damaged. {_REMEDY}"


def _left_out_transfer(name: str, reason: Reason) -> str:
    file = reason.param(0) or "a file"
    return f"The transfer of {file} ({name}) was left out: its row is damaged. {_REMEDY}"


_SENTENCES: Mapping[str, Sentence] = MappingProxyType(
    {
        NoticeCode.HISTORY_GAP: (
            "{0} messages from {name} that were delivered earlier are missing here, because this "
            "history was restored or replaced."
        ),
        NoticeCode.PEER_LOST_HISTORY: (
            "{name}'s history has lost {0} messages. Yours still has them."
        ),
        NoticeCode.OWN_HISTORY_LOST: (
            "{name} has {0} messages of yours that are missing here, because this history was "
            "restored or replaced."
        ),
        NoticeCode.PEER_PENDING: (
            "{name} wants to talk to you. Compare the safety number before you accept."
        ),
        NoticeCode.STORE_FAILED: (
            "The history cannot be written: {0} Nothing is lost; trying again."
        ),
        NoticeCode.STORE_WORKS: "The history can be written again.",
        NoticeCode.CONTAINED: (
            "The engine failed while handling what {name} sent. Reconnecting in {0} s; the "
            "engine's log has the details."
        ),
        NoticeCode.CONTAINED_TRANSFERS: (
            "The engine failed while handling file transfers. They continue; the engine's log has "
            "the details."
        ),
        NoticeCode.PEER_UNREADABLE: (
            "{name} cannot be read from the history. Trying again in {0} s, without a connection "
            "until then; the engine's log has the details."
        ),
        NoticeCode.ASKS_NOW: (
            "You are asked before files of {name} arrive now: {name} called first and is not "
            "verified. Verify {name}, or choose a size that always arrives."
        ),
        NoticeCode.LEFT_OUT_PEER: _left_out_peer,
        NoticeCode.LEFT_OUT_TRANSFER: _left_out_transfer,
        NoticeCode.LEFT_OUT_MESSAGE: (
            "A message of the conversation with {name} was left out: its row in the history is "
            "damaged. " + _REMEDY
        ),
        NoticeCode.LEFT_OUT_RESTORE: (
            "What was restored of the conversation with {name} is damaged; you can ask again. "
            + _REMEDY
        ),
        NoticeCode.LEFT_OUT_MORE: (
            "{0} more rows of the history are damaged: the engine's log names them."
        ),
    }
)


def notice_words(notice: Notice, name: str) -> str:
    """The sentence of a notice about the peer `name`."""
    return sentence_of(_SENTENCES, notice.reason, name)
