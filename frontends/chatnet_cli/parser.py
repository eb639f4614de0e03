"""A command line that is wrong: first one sentence that says how, then the short usage."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from chatnet_client.words import guess_words
from chatnet_protocol.addresses import split_address

EXAMPLES = """\
examples:
  chatnet 12345 192.168.233.128 12346   chat: my UDP port, the peer, its port
  chatnet engine 12345 192.168.233.128 12346 -d
  chatnet attach qt
  chatnet send "on my way" --wait delivered --timeout 10
  chatnet send-file photo.jpg --wait done
  chatnet events --json --since 0
  chatnet stop

CHATNET_HOME relocates all state. Results are on stdout, the rest on stderr.
exit codes: 0 done, 1 failed, 2 usage, 3 no such session or not running,
4 timed out waiting, 5 refused (trust, policy)
"""
"""What `chatnet --help` ends with."""


class GrammarError(Exception):
    """The words do not make a command: exit with that status, having printed `text`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Leaves space for the longest verb; argparse forgets that verbs are indented."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if action.nargs == argparse.PARSER:
            self._action_max_length += self._indent_increment


class Parser(argparse.ArgumentParser):
    """Raises GrammarError instead of ending the process, and guesses what was meant."""

    splits_addresses = False
    """`HOST:PORT` in one word is taken as the two words that an address is."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise GrammarError(status, message or "")

    def error(self, message: str) -> NoReturn:
        """Raises GrammarError with argparse's `message` made a sentence."""
        missing = message.removeprefix("the following arguments are required: ")
        if missing != message:
            message = f"{missing} is missing"
        message = message.removeprefix("argument ")
        sentence = message[:1].upper() + message[1:]
        if not sentence.endswith((".", "?")):
            sentence += "."
        raise GrammarError(2, f"{sentence}\n{self._short_usage()}\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, but what belongs to nothing is an error of this verb."""
        if self.splits_addresses and args is not None:
            args = self._split_addresses(args)
        parsed, rest = super().parse_known_args(args, namespace)
        if rest:
            word = rest[0]
            known = [option for action in self._actions for option in action.option_strings]
            if word.startswith("-"):
                self.error(f"There is no option {word!r}.{guess_words(word, known)}")
            self.error(f"Unexpected argument {word!r}; quote text that has spaces")
        return parsed, rest

    def _split_addresses(self, words: Sequence[str]) -> list[str]:
        valued = [
            option
            for action in self._actions
            for option in action.option_strings
            if action.nargs is None
        ]
        split: list[str] = []
        is_value = False
        for word in words:
            parts = None if is_value or word.startswith("-") else split_address(word)
            split += parts or (word,)
            # Options may be abbreviated.
            is_value = word.startswith("--") and any(name.startswith(word) for name in valued)
        return split

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        guess = guess_words(str(value), action.choices)
        if action.nargs == argparse.PARSER:
            raise argparse.ArgumentError(None, f"{value!r} is not a {self.prog} command.{guess}")
        choices = ", ".join(map(str, action.choices))
        raise argparse.ArgumentError(action, f"{value!r} is not one of {choices}.{guess}")

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse ignores that the disk behind a help text is full.
        if message and file is not None:
            file.write(message)
            file.flush()

    def _short_usage(self) -> str:
        usage = self.usage
        if usage is None:
            words = [self.prog]
            if any(action.option_strings for action in self._actions):
                words.append("[OPTIONS]")
            words += [_shape(a) for a in self._actions if not a.option_strings]
            usage = " ".join(words)
        return f"usage: {usage}\nMore: {self.prog} --help"


def _shape(action: argparse.Action) -> str:
    """How a positional argument stands in a usage line."""
    name = str(action.metavar or action.dest)
    match action.nargs:
        case "?":
            return f"[{name}]"
        case "*":
            return f"[{name} ...]"
        case "+" | argparse.PARSER:
            return f"{name} ..."
        case _:
            return name
