"""Why an own message will never be sent, and what stands for one that another answers. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from chatnet_client.words.offers import offer_words
from chatnet_client.words.sentences import Sentence, sentence_of
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.ipc.reasons import MessageFailure, Reason
from chatnet_protocol.ipc.rows import MessageKind, MessageRow

NOT_HERE = "Message not here"
"""For a message that another answers, and that this history does not hold."""
NO_REPLIES = (
    "The engine that runs is an older one, which does not keep what a text answers. Stop it and"
    " start it again, or send the text without it."
)
MAX_QUOTE_CHARACTERS = 200

_SENTENCES: Mapping[str, Sentence] = MappingProxyType(
    {
        MessageFailure.WITHDRAWN: "Withdrawn before it was sent.",
        MessageFailure.DELETED: "Deleted.",
    }
)


def failure_words(failed: str) -> str:
    """The sentence for `MessageRow.failed`; an older store's sentence is shown as it is."""
    return sentence_of(_SENTENCES, Reason(failed), "")


def quote_words(row: MessageRow) -> str:
    """A message in one line, for the one that answers it; peer-supplied like the message."""
    if row.kind == MessageKind.TEXT:
        # A hostile text may be long: no more of it is looked at than can be shown.
        words = " ".join(row.text[: 10 * MAX_QUOTE_CHARACTERS].split())
        return words if len(words) <= MAX_QUOTE_CHARACTERS else f"{words[:MAX_QUOTE_CHARACTERS]}…"
    if row.kind != MessageKind.OFFER:
        return "A message that this version cannot show"
    try:
        return offer_words(decode_offer(row.body), lambda name: name[:MAX_QUOTE_CHARACTERS])
    except DecodeError:
        return "A file"
