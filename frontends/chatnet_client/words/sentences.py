"""From a code and its parameters to a sentence. Pure."""

from collections.abc import Callable, Mapping

from chatnet_protocol.ipc.reasons import PARAMETERS, Reason

Sentence = str | Callable[[str, Reason], str]
"""A template with the peer's `{name}` and the parameters by number, or a function of both."""


def sentence_of(sentences: Mapping[str, Sentence], reason: Reason, name: str, **words: str) -> str:
    """The sentence for a reason about the peer `name`; a newer engine's code as it is."""
    sentence = sentences.get(reason.code)
    if sentence is None:
        return " ".join([reason.code, *reason.params])
    if callable(sentence):
        return sentence(name, reason)
    params = [reason.param(number) for number in range(len(PARAMETERS.get(reason.code, ())))]
    return sentence.format(*params, name=name, **words)
