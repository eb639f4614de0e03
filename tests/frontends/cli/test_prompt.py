"""The chat on a terminal that is a string: what arrives stands above the line being written."""

import asyncio
import errno
import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input

from chatnet_cli import prompt
from chatnet_cli.chat_model import ChatModel
from chatnet_cli.environment import Environment, ExitStatus
from chatnet_cli.prompt import Terminal
from chatnet_cli.screen import Screen
from chatnet_client.client import Client
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.view import PeerView
from chatnet_protocol.text import typed_text
from local_engine import LocalEngine
from local_world import LocalWorld

Step = Callable[[], bool]


def peer(local: LocalEngine) -> PeerView:
    return local.do(lambda world: world.peer())


def last_no(local: LocalEngine) -> int:
    return local.do(lambda world: world.view.last_no)


def attached(local: LocalEngine) -> bool:
    """Whether the chat is there: it alone has attached so far."""
    return bool(local.seen(cmd.Attach))


def first_text(local: LocalEngine) -> str:
    return local.do(lambda world: world.history[0][1].text)


def chat(
    local: LocalEngine,
    *steps: tuple[str, Step],
    environ: dict[str, str] | None = None,
    screen: io.StringIO | None = None,
) -> tuple[ExitStatus, str]:
    """Type each text, and wait until its step holds; (exit code, everything printed)."""
    screen = screen or io.StringIO()
    env = Environment(
        stdin=io.StringIO(),
        stdout=screen,
        stderr=io.StringIO(),
        environ=environ or {},
        stdin_is_tty=True,
        stdout_is_tty=True,
        stderr_is_tty=True,
        wall_ms=lambda: 0,
        replace_process=lambda command, environ: (_ for _ in ()).throw(AssertionError),
        width=lambda: 80,
    )

    async def run() -> ExitStatus:
        with create_pipe_input() as source:
            output = Screen(screen, lambda: Size(24, 80), term="xterm", enable_cpr=False)
            terminal = Terminal(env, None, local.connection_file, source=source, screen=output)
            task = asyncio.create_task(terminal.run())
            for text, holds in steps:
                source.send_bytes(text.encode("utf-8", "surrogateescape"))
                for _ in range(6000):
                    if holds() or task.done():
                        break
                    await asyncio.sleep(0.01)
                else:
                    raise AssertionError(f"nothing came of {text!r}: {screen.getvalue()!r}")
            with suppress(asyncio.TimeoutError):
                return await asyncio.wait_for(task, 60)
            raise AssertionError("the chat did not end")

    return asyncio.run(run()), screen.getvalue()


def test_talking_reading_leaving(local: LocalEngine) -> None:
    local.do(lambda world: world.peer_sends("hello \x1b[31m"))
    status, screen = chat(
        local,
        ("", lambda: peer(local).my_read == 1),
        ("hi bob\r", lambda: last_no(local) == 2),
        ("half", lambda: peer(local).draft == "half"),
        ("\x15", lambda: peer(local).draft == ""),
        ("/quit\r", lambda: True),
    )
    assert status == ExitStatus.DONE
    assert "bob: hello \\x1b[31m  [ACK 1 · 10.0.0.1:5001]" in screen
    assert "me: hi bob" in screen
    assert "bob · connected" in screen


def test_a_draft_from_elsewhere_appears_in_the_line(local: LocalEngine) -> None:
    def write() -> bool:
        with Client.attach(local.connection_file, name="other") as other:
            draft = other.ask(cmd.SetDraft(1, "from elsewhere", 0), cmd.DraftSet)
        return draft.accepted

    status, _ = chat(
        local,
        ("", lambda: attached(local)),
        ("", lambda: peer(local).draft != "" or write()),
        ("", lambda: peer(local).draft == "from elsewhere"),
        ("", settled(20)),
        ("\r", lambda: last_no(local) == 1),
        ("\x04", lambda: True),
    )
    assert status == ExitStatus.DONE
    assert first_text(local) == "from elsewhere"
    assert peer(local).draft == ""


def test_showing_another_peer_goes_on_with_its_draft(local: LocalEngine) -> None:
    local.do(lambda world: world.add_peer(2))
    local.do(lambda world: world.window_asks(cmd.SetDraft(2, "unfinished", 0)))
    status, _ = chat(
        local,
        ("", lambda: attached(local)),
        ("", settled(20)),
        ("/peer peer2\r", settled(60)),
        (" business\r", lambda: last_no(local) == 1),
        ("/quit\r", lambda: True),
    )
    assert status == ExitStatus.DONE
    assert first_text(local) == "unfinished business"
    assert cmd.SetDraft(2, "", 1) not in local.seen(cmd.SetDraft)


def settled(turns: int) -> Step:
    """Holds after that many turns of the loop."""
    left = iter(range(turns))
    return lambda: next(left, None) is None


def test_interrupt_leaves_quietly_and_no_color_means_none(local: LocalEngine) -> None:
    local.do(lambda world: world.peer_sends("hello"))
    status, screen = chat(
        local,
        ("", lambda: peer(local).my_read == 1),
        ("\x03", lambda: True),
        environ={"NO_COLOR": "1"},
    )
    assert status == ExitStatus.INTERRUPTED
    assert "bob: hello" in screen
    assert "\x1b[0;3" not in screen
    assert "\x1b[0;9" not in screen


def test_no_peer_ends_it(home: Path) -> None:
    with LocalEngine(home, LocalWorld(peers=0)) as local:
        status, screen = chat(local)
    assert status == ExitStatus.FAILED
    assert "no peer is known" in screen


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("one\x1b\rtwo", "one\ntwo"),
        ("one\ntwo", "one\ntwo"),
        ("\x1b[200~one\r\ntwo\x1b[31m\x07\x1b[201~", "one\ntwo[31m"),
        ("a\x16\x1bb\x16\tc\x16\x16d", "ab\tcd"),
        ("a\x16\x1b[Ab", "a[Ab"),
        ("not this\x03that", "that"),
        ("two words\x17one\x15all", "all"),
        ("a\x0cb\x00\x1cc\x1d\x1e\x1f", None),
        ("br\udcfccke", "br\ufffdcke"),
    ],
    ids=[
        "alt-enter",
        "ctrl-j",
        "paste",
        "literal",
        "literal-key",
        "interrupt",
        "kill",
        "odd",
        "byte",
    ],
)
def test_the_keys_of_a_line_editor(local: LocalEngine, keys: str, text: str | None) -> None:
    status, _ = chat(
        local,
        ("", lambda: attached(local)),
        ("", settled(20)),
        (keys, settled(20)),
        ("!\r", lambda: last_no(local) == 1),
        ("/quit\r", lambda: True),
    )
    assert status == ExitStatus.DONE
    sent = first_text(local)
    assert sent == typed_text(sent)
    assert text is None or sent == f"{text}!"


def test_a_chat_that_can_no_longer_draw_ends_with_a_sentence(
    local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: ChatModel, event: object) -> None:
        raise KeyError("no such thing")

    def broke() -> bool:
        monkeypatch.setattr(ChatModel, "handle_event", broken)
        local.do(lambda world: world.peer_sends("hello"))
        return True

    status, _ = chat(local, ("", lambda: attached(local)), ("", settled(20)), ("", broke))
    assert status == ExitStatus.FAILED


class HungUp(io.StringIO):
    """A terminal that may be hung up: writing there fails from then on."""

    hung_up = False

    def write(self, text: str) -> int:
        if self.hung_up:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().write(text)


@pytest.mark.parametrize("keys", ["", "x"], ids=["printing", "echoing"])
def test_a_chat_whose_terminal_is_gone_ends(local: LocalEngine, keys: str) -> None:
    screen = HungUp()

    def hang_up() -> bool:
        screen.hung_up = True
        if not keys:
            local.do(lambda world: world.peer_sends_all([f"hello {n}" for n in range(3)]))
        return True

    status, _ = chat(
        local,
        ("", lambda: attached(local)),
        ("", settled(20)),
        ("", hang_up),
        (keys, settled(5)),
        screen=screen,
    )
    assert status == ExitStatus.INTERRUPTED


def test_what_arrives_during_a_print_waits_for_the_next(
    local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[tuple[asyncio.Future[None], Callable[[], None]]] = []

    def slow(write: Callable[[], None]) -> "asyncio.Future[None]":
        writes.append((asyncio.get_running_loop().create_future(), write))
        return writes[-1][0]

    def arrive() -> bool:
        monkeypatch.setattr(prompt, "run_in_terminal", slow)
        local.do(lambda world: world.peer_sends_all([f"hello {n}" for n in range(20)]))
        return True

    def finish() -> bool:
        assert len(writes) == 1
        monkeypatch.undo()
        writes[0][1]()
        writes[0][0].set_result(None)
        return True

    status, screen = chat(
        local,
        ("", lambda: attached(local)),
        ("", settled(20)),
        ("", arrive),
        ("", lambda: peer(local).my_read == 20),
        ("", settled(5)),
        ("", finish),
        ("", settled(20)),
        ("/quit\r", lambda: True),
    )
    assert status == ExitStatus.DONE
    assert [n for n in range(20) if f"hello {n} " in screen] == list(range(20))
