"""The chat for a terminal, on prompt_toolkit: what arrives stands above the line being written."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input import Input
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import print_formatted_text
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from chatnet_cli.completion import folder_entries, offers
from chatnet_cli.environment import Environment, ExitStatus
from chatnet_cli.line_keys import Keyboard, line_keys
from chatnet_cli.room import Room
from chatnet_cli.slash import handle_line
from chatnet_cli.transcript import Line
from chatnet_cli.wrapping import wrap
from chatnet_client.client import new_id
from chatnet_client.client_events import ClientEvent
from chatnet_client.driver import clock
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


class _Completer(Completer):
    """Brings what `completion` offers to prompt_toolkit."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        line, room = document.text_before_cursor, self._room
        for text, length in offers(line, room.mirror.view, room.number, folder_entries):
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
        screen: Output | None = None,
    ) -> None:
        folder = os.path.dirname(os.path.abspath(connection_file))
        self._kept = KeptTexts(KeptFile(folder), new_id=new_id, wall_ms=env.wall_ms)
        self.room = Room(wanted_peer, watched=True, new_id=new_id, kept=self._kept)
        self._env = env
        self._file = connection_file
        self._plain = bool(env.environ.get("NO_COLOR"))
        self._screen = screen
        self._session: PromptSession[str] = PromptSession(
            message="› ",
            multiline=True,
            prompt_continuation="  ",
            key_bindings=line_keys(),
            completer=_Completer(self.room),
            complete_while_typing=False,
            bottom_toolbar=self._toolbar,
            erase_when_done=True,
            style=STYLE,
            color_depth=ColorDepth.DEPTH_1_BIT if self._plain else None,
            input=source or Keyboard(env.stdin),
            output=screen,
        )
        self._session.default_buffer.on_text_changed += self._typed
        self._default = ""
        """What the next line begins with."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: ThreadedClient | None = None

    async def run(self) -> ExitStatus:
        """Until the person leaves or the engine refuses."""
        self._loop = asyncio.get_running_loop()
        self._client = ThreadedClient(
            self._file, self._from_thread, name="cli", keep_up=True, starts_engine=True
        )
        self._client.start()
        sharing = asyncio.create_task(self._share_drafts())
        sharing.add_done_callback(self._sharing_ended)
        try:
            with self._session.input.raw_mode(), patch_stdout():
                while not self.room.done:
                    default, self._default = self._default, ""
                    line = await self._session.prompt_async(default=default)
                    handle_line(self.room, typed_text(line), new_id)
                    self._flush()
                    if not self._default:
                        self.room.typed("", clock())
                        self._flush()
        except EOFError:
            pass
        except KeyboardInterrupt:
            return ExitStatus.INTERRUPTED
        finally:
            sharing.cancel()
            await asyncio.to_thread(self._client.close)
            self._kept.close()
        if not self.room.failed:
            self._env.say(LEAVING if self.room.mirror.live else LEAVING_WITHOUT_ENGINE)
            if self._kept:
                self._env.say(kept_words(len(self._kept)))
        return ExitStatus.FAILED if self.room.failed else ExitStatus.DONE

    def _from_thread(self, event: ClientEvent) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._handle, event)

    def _handle(self, event: ClientEvent) -> None:
        try:
            self.room.handle_event(event)
            self._flush()
        except Exception as error:  # noqa: BLE001 - a chat that shows nothing any more must end
            self._break(error)
        if self.room.done:
            self._leave()

    def _sharing_ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._break(error)
            self._leave()

    def _break(self, error: BaseException) -> None:
        self._env.say(f"The chat ends because of a bug in ChatNet: {error!r}.")
        self.room.failed = self.room.done = True

    def _leave(self) -> None:
        if self._session.app.is_running and not self._session.app.is_done:
            self._session.app.exit(exception=EOFError())

    def _typed(self, buffer: Buffer) -> None:
        if self._session.app.is_running:
            self.room.typed(typed_text(buffer.text), clock())
            self._flush()

    async def _share_drafts(self) -> None:
        while True:
            due = self.room.next_timeout()
            if due is not None and due <= clock():
                self.room.handle_timeout(clock())
                self._flush()
            await asyncio.sleep(DRAFT_POLL_S)

    def _flush(self) -> None:
        assert self._client is not None
        for command in self.room.take_commands():
            self._client.send(command)
        self._print(self.room.take_lines())
        text = self.room.take_input()
        if not self._session.app.is_running:
            self._default = text if text is not None else self._default
            return
        if text is not None:
            self._session.default_buffer.text = text
            self._session.default_buffer.cursor_position = len(text)
        self._session.app.invalidate()

    def _print(self, lines: list[Line]) -> None:
        if not lines:
            return
        # All at once: every call erases the line being written and draws it again.
        width = self._env.width()
        words = [
            (f"class:{line.style}", wrap(line.text, line.tail, width, get_cwidth) + "\n")
            for line in lines
        ]
        options: dict[str, Any] = {"style": STYLE}
        if self._plain:
            options["color_depth"] = ColorDepth.DEPTH_1_BIT
        if self._screen is not None:
            options["output"] = self._screen
        print_formatted_text(FormattedText(words), end="", **options)

    def _toolbar(self) -> str:
        return "\n".join(self.room.status(max(20, self._env.width() - 1)))
