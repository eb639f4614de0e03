"""What people bring in, at every way in: pipe, terminal, arguments, environment, file names.

Whatever it is: no traceback, no hang, and no line lost that was said to be sent. Real processes on
one real engine; the same seed tries the same things.

    scripts/fuzz --doors [--seconds S] [--seed N] [--depth N]
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from random import Random

from chatnet_cli.environment import valid_input
from chatnet_client.client import Client
from chatnet_protocol import codec
from chatnet_protocol.ipc.commands import FetchHistory
from chatnet_protocol.text import typed_text
from realworld.engines import RealEngine
from realworld.terminal import RealTerminal

WITHIN_S = 30.0
"""Longer than anything takes on a busy machine: what needs more hangs."""
LOCALES: tuple[dict[str, str], ...] = (
    {"LC_ALL": "C.UTF-8"},
    {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "POSIX"},
    {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "de_DE.ISO-8859-1"},
    {"LC_ALL": "C", "PYTHONIOENCODING": "koi8-r"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C", "PYTHONIOENCODING": "shift_jis"},
)
ENCODINGS = ("utf-8", "ascii", "latin-1", "cp1252", "koi8-r", "shift_jis", "gbk", "no-such")
PROGRAM = (sys.executable, "-P", "-m", "chatnet_cli")
BAD_WORDS = (b"Traceback", b"A bug in ChatNet", b"because of a bug")
STATUSES = frozenset({0, 1, 2, 3, 4, 5})


class Doors:
    """One engine that nobody answers, and what is tried on it."""

    def __init__(self, engine: RealEngine, client: Client, folder: Path, seed: int) -> None:
        self.random = Random(seed)
        self.tried = 0
        self._engine = engine
        self._client = client
        self._folder = folder

    def texts(self, after_no: int) -> list[str]:
        """What became durable after that message, in order."""
        texts: list[str] = []
        while True:
            page = self._client.history(FetchHistory(after_no=after_no, limit=256))
            texts += [row.text for row in page.rows]
            if not page.more:
                return texts
            after_no = page.rows[-1].no

    def last_no(self) -> int:
        """The newest message."""
        page = self._client.history(FetchHistory(limit=1))
        return page.rows[0].no if page.rows else 0

    def bytes_of(self, most: int) -> bytes:
        """Some bytes, likely to hold what is special."""
        special = b"\x00\x03\x04\x09\x0d\x16\x1a\x1b[~\x7f\x80\x9b\xc3\xe2\xed\xa0\xf0\xff /"
        one = [bytes([byte]) for byte in special] + ["ü€😀".encode(), b"a", b" b "]
        count = self.random.randint(1, most)
        return b"".join(
            self.random.choice(one) if self.random.random() < 0.7 else self.random.randbytes(1)
            for _ in range(count)
        )

    # --- pipe --------------------------------------------------------------------------------

    def pipe(self, locale: dict[str, str]) -> None:
        """Lines into the chat: with exit code 0 every line is durable, in order."""
        lines = [bytes([byte]) for byte in range(256) if byte != 10]
        lines += [self.bytes_of(40).replace(b"\n", b"") for _ in range(200)]
        lines.append(b"x" * 200_000 + "ü".encode() * 50_000)
        before = self.last_no()
        done = self.run(["attach", "cli"], b"\n".join(lines), locale)
        assert done.returncode == 0, done.stderr
        arrived = self.texts(before)
        plain = "ascii" if "PYTHONUTF8" in locale else "utf-8"
        encoding = locale.get("PYTHONIOENCODING", plain)
        wanted = [valid_input(line.decode("utf-8", "surrogateescape"), encoding) for line in lines]
        wanted = [line.removesuffix("\r") for line in wanted]
        assert "".join(arrived) == "".join(line for line in wanted if line.strip()), locale
        self.tried += len(lines)

    def send(self, locale: dict[str, str]) -> None:
        """A text from standard input: what was said to be queued is there."""
        data = self.bytes_of(60)
        before = self.last_no()
        done = self.run(["send", "-"], data, locale)
        assert len(self.texts(before)) == (done.returncode == 0), (data, done)

    def run(
        self, words: Sequence[str | bytes], data: bytes = b"", more: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        """One command line, judged by what it prints and how it ends."""
        self.tried += 1
        env = os.environb.copy()
        env.clear()
        env |= {k.encode(): v.encode() for k, v in self._engine.env.items()}
        env |= {k.encode(): os.fsencode(v) for k, v in (more or {}).items()}
        command = [*PROGRAM, *words]
        done = subprocess.run(
            command, env=env, input=data, capture_output=True, timeout=WITHIN_S, check=False
        )
        assert not any(word in done.stderr + done.stdout for word in BAD_WORDS), (words, done)
        assert done.returncode in STATUSES, (words, done)
        if done.returncode:
            assert (done.stderr + done.stdout).strip(), (words, done)
        return done

    # --- arguments, environment, file names ----------------------------------------------------

    def argument(self) -> None:
        """Bytes as an argument."""
        word = self.bytes_of(12).replace(b"\0", b"")
        places: list[list[str | bytes]] = [
            ["send", b"x" + word],
            ["send", "x", "--peer", b"x" + word],
            ["history", "--search", b"x" + word],
            ["peer", "name", "1", b"x" + word],
            [b"x" + word],
            ["send-file", b"/" + word],
            ["attach", "cli", "--peer", b"x" + word],
            ["status", "--session", b"x" + word],
        ]
        self.run(self.random.choice(places))

    def environment(self) -> None:
        """Bytes in a variable."""
        value = os.fsdecode(self.bytes_of(12).replace(b"\0", b""))
        names = ("LANG", "LC_ALL", "TERM", "COLUMNS", "NO_COLOR", "DISPLAY", "CHATNET_HOME", "HOME")
        name = self.random.choice((*names, "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "TZ"))
        self.run(
            [self.random.choice(("status", "history", "sessions", "doctor"))], more={name: value}
        )

    def file_name(self) -> None:
        """Bytes as the name of a file that is sent."""
        name = self.bytes_of(20).replace(b"\0", b"").replace(b"/", b"") or b"x"
        path = os.path.join(os.fsencode(self._folder), b"f" + name)
        Path(os.fsdecode(path)).write_bytes(b"x")
        self.run(["send-file", path])

    def streams(self, closed: tuple[bool, ...], verb: str) -> None:
        """Standard streams that are closed."""
        closing = " ".join(f"{number}>&-" for number, shut in enumerate(closed) if shut)
        command = ["sh", "-c", f'exec {closing}; exec "$0" "$@"', *PROGRAM, *verb.split()]
        before = self.last_no()
        env = self._engine.env
        done = subprocess.run(
            command, env=env, input=b"", capture_output=True, timeout=WITHIN_S, check=False
        )
        assert not any(word in done.stderr + done.stdout for word in BAD_WORDS), (command, done)
        assert done.returncode in STATUSES, (command, done)
        if verb.startswith("send x"):
            assert (done.returncode, self.texts(before)) == (0, ["x"]), (command, done)
        self.tried += 1

    # --- terminal ----------------------------------------------------------------------------

    def keys(self, term: str, sequences: list[bytes]) -> None:
        """Each sequence of keys in the chat, and the line is still usable afterwards."""
        env = self._engine.env | {"TERM": term}
        waiting = list(sequences)
        while waiting:
            with RealTerminal([*PROGRAM, "attach", "cli"], env) as terminal:
                assert terminal.until(lambda: b"No answer" in terminal.seen, WITHIN_S), (
                    terminal.seen[:500]
                )
                before = self.last_no()
                while waiting and self._press(terminal, waiting.pop(0), term):
                    pass
                terminal.press(b"\x07z\x03/quit\r")
                assert terminal.ended(WITHIN_S) in (0, 130), terminal.seen[-500:]
                assert not any(word in terminal.seen for word in BAD_WORDS), terminal.seen[-500:]
                for text in self.texts(before):
                    assert text == typed_text(text), text

    def _press(self, terminal: RealTerminal, keys: bytes, term: str) -> bool:
        """Whether the chat goes on after these keys; it may leave, as by Ctrl+D."""
        self.tried += 1
        marker = f"still usable {self.tried}"
        before = self.last_no()
        if term == "dumb":
            # The terminal's own: to stop output, to quit. The program never sees them.
            keys = keys.replace(b"\x13", b"").replace(b"\x1c", b"")
        terminal.press(b"a" + keys)
        # Out of a search or a key of several parts, and a line cleared: what a person does then.
        terminal.press(b"\x11\n" if term == "dumb" else b"\x07z\x03")
        terminal.press(marker.encode() + b"\r")

        def arrived() -> bool:
            return terminal.process.poll() is not None or marker in self.texts(before)

        assert terminal.until(arrived, WITHIN_S), (keys, terminal.seen[-500:])
        return terminal.process.poll() is None


def every(depth: int, encodings: tuple[str, ...] = ENCODINGS) -> int:
    """Every sequence of up to `depth` bytes becomes text that a frame can carry; how many."""
    count = 0
    for length in range(1, depth + 1):
        for sequence in product(range(256), repeat=length):
            text = bytes(sequence).decode("utf-8", "surrogateescape")
            count += 1
            typed_text(text).encode()
            for encoding in encodings if length == 1 else encodings[:1]:
                codec.pack_plain(valid_input(text, encoding))
    return count


def single_keys() -> list[bytes]:
    """Every byte that no letter is, and the sequences of some keys."""
    control = [bytes([byte]) for byte in (*range(32), *range(127, 256)) if byte not in (3, 4)]
    return [
        *control,
        b"\x1b[A",
        b"\x1b[3~",
        b"\x1b\r",
        b"\x1b[200~x\ry\x1b[201~",
        b"\x16\x1b",
        b"\x1bb",
    ]


def _typed(doors: Doors, term: str) -> None:
    doors.keys(term, single_keys())


def sweeps(doors: Doors) -> Iterator[Callable[[], None]]:
    """Everything that is tried once."""
    for locale in LOCALES:
        yield partial(doors.pipe, locale)
    for term in ("xterm", "dumb"):
        yield partial(_typed, doors, term)
    for closed in product((False, True), repeat=3):
        for verb in ("send x", "send -", "status", "attach cli"):
            yield partial(doors.streams, closed, verb)


def step(doors: Doors) -> None:
    """Something at random."""
    match doors.random.randrange(6):
        case 0:
            doors.argument()
        case 1:
            doors.environment()
        case 2:
            doors.file_name()
        case 3:
            doors.send(doors.random.choice(LOCALES))
        case 4:
            doors.pipe(doors.random.choice(LOCALES))
        case _:
            term = doors.random.choice(("xterm", "linux", "screen", "dumb"))
            doors.keys(term, [doors.bytes_of(8) for _ in range(20)])


def run(root: Path, seed: int, seconds: float, tries: Callable[[Doors], None]) -> int:
    """`tries` once, then at random until the time is over; how much was tried."""
    engine = RealEngine(root, "doors", "--bind", "127.0.0.1")
    engine.start("127.0.0.1", "9")
    until = time.monotonic() + seconds
    try:
        with engine.attach("judge") as client:
            (folder := root / "files").mkdir()
            doors = Doors(engine, client, folder, seed)
            tries(doors)
            while time.monotonic() < until:
                step(doors)
            return doors.tried
    finally:
        engine.stop()


def main(seconds: float, seed: int, depth: int) -> int:
    """All of it; 0 when every way in held."""

    def all_once(doors: Doors) -> None:
        for one in sweeps(doors):
            one()

    print(f"{every(depth)} sequences of up to {depth} bytes become text", flush=True)
    with tempfile.TemporaryDirectory(prefix="cn-", dir="/tmp") as folder:
        tried = run(Path(folder), seed, seconds, all_once)
    print(f"{tried} tried at the ways in, seed {seed}")
    return 0
