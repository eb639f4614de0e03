"""The keys of the line being written, where they differ from prompt_toolkit's own."""

import os
import signal
from contextlib import AbstractContextManager, nullcontext

from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.filters import Condition
from prompt_toolkit.input.vt100 import Vt100Input, cooked_mode
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.named_commands import get_by_name
from prompt_toolkit.keys import Keys

from chatnet_protocol.text import typed_text


class Keyboard(Vt100Input):
    """Keys mean the same all the time. prompt_toolkit gives the terminal back while it prints what
    arrives; it would then echo keys, make Enter a Ctrl+J, and end the program on Ctrl+C."""

    def cooked_mode(self) -> AbstractContextManager[None]:
        """The terminal stays as it is."""
        return nullcontext()


def line_keys() -> KeyBindings:
    """Tab completes, Enter sends, Alt+Enter and Ctrl+J begin a line, Ctrl+V takes the next key
    literally, Ctrl+C clears the line and leaves an empty one, Ctrl+Z suspends."""
    keys = KeyBindings()
    quoting = Condition(lambda: get_app().quoted_insert)

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    @keys.add("c-j")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    keys.add("c-v")(get_by_name("quoted-insert"))

    @keys.add(Keys.Any, filter=quoting, eager=True)
    def _(event: KeyPressEvent) -> None:
        event.app.quoted_insert = False
        event.current_buffer.insert_text(typed_text(event.data))

    @keys.add(Keys.BracketedPaste)
    def _(event: KeyPressEvent) -> None:
        event.app.quoted_insert = False
        event.current_buffer.insert_text(typed_text(event.data))

    @keys.add("c-z")
    def _(event: KeyPressEvent) -> None:
        def suspend() -> None:
            with cooked_mode(event.app.input.fileno()):
                os.kill(0, signal.SIGTSTP)

        run_in_terminal(suspend)

    @keys.add("tab")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state:
            buffer.complete_next()
            return
        found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(False, True)))
        if len(found) == 1:
            buffer.apply_completion(found[0])
        elif found:
            buffer.start_completion(insert_common_part=True)

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt())

    return keys
