"""Why an own message will never be sent: the only place with these sentences. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from chatnet_client.words.sentences import Sentence, sentence_of
from chatnet_protocol.ipc.reasons import MessageFailure, Reason

_SENTENCES: Mapping[str, Sentence] = MappingProxyType(
    {
        MessageFailure.WITHDRAWN: "Withdrawn before it was sent.",
        MessageFailure.DELETED: "Deleted.",
    }
)


def failure_words(failed: str) -> str:
    """The sentence for `MessageRow.failed`; an older store's sentence is shown as it is."""
    return sentence_of(_SENTENCES, Reason(failed), "")
