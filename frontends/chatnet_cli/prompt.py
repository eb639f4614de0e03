"""The chat for a terminal, on prompt_toolkit: what arrives stands above the line being written."""

import asyncio
import os
import termios
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input import Input
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from chatnet_cli.chat_model import ChatModel
from chatnet_cli.completion import folder_entries, offers
from chatnet_cli.environment import Environment, ExitStatus, discard
from chatnet_cli.line_keys import Keyboard, line_keys
from chatnet_cli.screen import Screen
from chatnet_cli.slash import handle_line
from chatnet_cli.transcript import Line
from chatnet_cli.wrapping import wrap
from chatnet_client.client import new_id
from chatnet_client.driver import clock
from chatnet_client.event_queue import EventQueue
from chatnet_client.kept import KeptTexts
from chatnet_client.kept_file import KeptFile
from chatnet_client.threaded import ThreadedClient
from chatnet_client.words import LEAVING, LEAVING_WITHOUT_ENGINE, kept_words
from chatnet_protocol.text import typed_text

STYLE = Style.from_dict(
    {
        "incoming": "",
        "own": "ansigreen",
        "quiet": "ansibrightblack",
        "error": "ansired",
        "bottom-toolbar": "noreverse ansibrightblack",
    }
)
DRAFT_POLL_S = 0.1
EVENTS_PER_TURN = 256
"""Handled before keys are looked at again."""


class _Completer(Completer):
    """Brings what `completion` offers to prompt_toolkit."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        line, model = document.text_before_cursor, self._model
        for text, length in offers(line, model.mirror.view, model.number, folder_entries):
            yield Completion(text, -length)


class Terminal:
    """One chat on one terminal."""

    def __init__(
        self,
        env: Environment,
        wanted_peer: str | None,
        connection_file: str,
        *,
        source: Input | None = None,
        screen: Screen | None = None,
    ) -> None:
        folder = os.path.dirname(os.path.abspath(connection_file))
        self._kept = KeptTexts(KeptFile(folder), new_id=new_id, wall_ms=env.wall_ms)
        self.model = ChatModel(wanted_peer, watched=True, new_id=new_id, kept=self._kept)
        self._env = env
        self._file = connection_file
        self._plain = bool(env.environ.get("NO_COLOR"))
        self._depth = ColorDepth.DEPTH_1_BIT if self._plain else None
        self._screen = screen or Screen.of(env.stdout, env.environ.get("TERM"))
        self._screen.on_gone = self._lose_terminal
        self._is_lost = False
        self._printing: asyncio.Future[None] | None = None
        """The one print under way; what comes meanwhile waits in the model, which bounds it."""
        self._session: PromptSession[str] = PromptSession(
            message="› ",
            multiline=True,
            prompt_continuation="  ",
            key_bindings=line_keys(),
            completer=_Completer(self.model),
            complete_while_typing=False,
            bottom_toolbar=self._toolbar,
            erase_when_done=True,
            style=STYLE,
            color_depth=self._depth,
            input=source or Keyboard(env.stdin),
            output=self._screen,
        )
        self._session.default_buffer.on_text_changed += self._typed
        self._default = ""
        """What the next line begins with."""
        self._client: ThreadedClient | None = None
        self._events: EventQueue | None = None

    async def run(self) -> ExitStatus:
        """Until the person leaves, the terminal is gone, or the engine refuses."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unexpected)
        self._events = EventQueue(partial(loop.call_soon_threadsafe, self._drain))
        self._client = ThreadedClient(
            self._file, self._events.put, name="cli", keep_up=True, starts_engine=True
        )
        self._client.start()
        sharing = asyncio.create_task(self._share_drafts())
        sharing.add_done_callback(self._ended)
        try:
            await self._talk()
        except EOFError:
            pass
        except KeyboardInterrupt:
            return ExitStatus.INTERRUPTED
        finally:
            sharing.cancel()
            self._events.close()
            await asyncio.to_thread(self._client.close)
            self._kept.close()
        if self._is_lost:
            return ExitStatus.INTERRUPTED
        if not self.model.failed:
            self._env.say(LEAVING if self.model.mirror.live else LEAVING_WITHOUT_ENGINE)
            if self._kept:
                self._env.say(kept_words(len(self._kept)))
        return ExitStatus.FAILED if self.model.failed else ExitStatus.DONE

    async def _talk(self) -> None:
        try:
            with self._session.input.raw_mode():
                while not self.model.done:
                    default, self._default = self._default, ""
                    line = await self._session.prompt_async(
                        default=default, pre_run=self._begin, set_exception_handler=False
                    )
                    handle_line(self.model, typed_text(line), new_id)
                    self._flush()
                    if not self._default:
                        self.model.typed("", clock())
                        self._flush()
        except termios.error:  # of a terminal that was hung up just now
            self._lose_terminal()

    def _drain(self) -> None:
        """Take the events that wait, some at a time."""
        assert self._events is not None
        try:
            for _ in range(EVENTS_PER_TURN):
                event = self._events.take()
                if event is None:
                    break
                self.model.handle_event(event)
            else:
                asyncio.get_running_loop().call_soon(self._drain)
            self._flush()
        except Exception as error:  # noqa: BLE001 - a chat that shows nothing any more must end
            self._break(error)
        if self.model.done:
            self._leave()

    def _ended(self, task: "asyncio.Future[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._break(error)

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._break(context.get("exception") or RuntimeError(context["message"]))

    def _break(self, error: BaseException) -> None:
        if not self.model.failed:
            with suppress(OSError):
                self._env.say(f"The chat ends because of a bug in ChatNet: {error!r}.")
        self.model.failed = self.model.done = True
        self._leave()

    def _lose_terminal(self) -> None:
        """Nobody can read or write here any more."""
        self._is_lost = self.model.done = True
        discard(self._env.stdout)
        if self._env.stderr_is_tty:
            discard(self._env.stderr)
        self._leave()

    def _begin(self) -> None:
        """A line begins; what ended the chat may have come between two of them."""
        if self.model.done:
            self._leave()

    def _leave(self) -> None:
        if self._session.app.is_running and not self._session.app.is_done:
            self._session.app.exit(exception=EOFError())

    def _typed(self, buffer: Buffer) -> None:
        if self._session.app.is_running:
            self.model.typed(typed_text(buffer.text), clock())
            self._flush()

    async def _share_drafts(self) -> None:
        while True:
            due = self.model.next_timeout()
            if due is not None and due <= clock():
                self.model.handle_timeout(clock())
                self._flush()
            await asyncio.sleep(DRAFT_POLL_S)

    def _flush(self) -> None:
        assert self._client is not None
        for command in self.model.take_commands():
            self._client.send(command)
        self._print()
        text = self.model.take_input()
        if not self._session.app.is_running:
            self._default = text if text is not None else self._default
            return
        if text is not None:
            self._session.default_buffer.text = text
            self._session.default_buffer.cursor_position = len(text)
        self._session.app.invalidate()

    def _print(self) -> None:
        if self._printing is not None and not self._printing.done():
            return
        lines = self.model.take_lines()
        if not lines:
            return
        if not self._session.app.is_running:
            self._write(lines)
            return
        # All at once: every call erases the line being written and draws it again.
        self._printing = asyncio.ensure_future(run_in_terminal(lambda: self._write(lines)))
        self._printing.add_done_callback(self._printed)

    def _printed(self, task: "asyncio.Future[None]") -> None:
        self._ended(task)
        self._print()

    def _write(self, lines: list[Line]) -> None:
        width = self._env.width()
        words = [
            (f"class:{line.style}", wrap(line.text, line.tail, width, get_cwidth) + "\n")
            for line in lines
        ]
        depth = self._depth or self._screen.get_default_color_depth()
        print_formatted_text(self._screen, FormattedText(words), STYLE, color_depth=depth)

    def _toolbar(self) -> str:
        return "\n".join(self.model.status(max(20, self._env.width() - 1)))
