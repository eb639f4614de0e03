"""What others get to see: the wire, another user of the machine, process lists and logs."""

import base64
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatnet_client.invite_line import code_in
from chatnet_engine.secure.invite import invite_psk, parse_invite
from chatnet_protocol.ipc.rows import Trust
from realworld.engines import RealEngine, is_up, two_engines

NOBODY = "65534"
WITHIN_S = 60.0
FILE_BYTES = 3 * 2**20
READ_ON_S = 3.0
ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that everybody may enter: what is closed is closed by ChatNet."""
    folder = Path(os.path.realpath("/tmp")) / f"cnsec-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir(mode=0o755)
    (folder / "run").mkdir(mode=0o755)
    yield folder
    subprocess.run(["/bin/rm", "-rf", str(folder)], check=True)


class Sniffer:
    """Everything that passes the loopback to or from some ports."""

    def __init__(self, ports: set[int]) -> None:
        self.ports = ports
        self.seen = bytearray()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 * 2**20)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._until_s = float("inf")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while time.monotonic() < self._until_s:
            try:
                frame = self._socket.recv(1 << 17)
            except TimeoutError:
                if self._until_s != float("inf"):
                    return
                continue
            if frame[12:14] != b"\x08\x00" or frame[23] not in (6, 17):
                continue
            start = 14 + (frame[14] & 15) * 4
            if self.ports & set(struct.unpack_from("!HH", frame, start)):
                self.seen += frame[start:]

    def close(self) -> None:
        """Read what is still there, and end, though the loopback may never be quiet."""
        self._until_s = time.monotonic() + READ_ON_S
        self._thread.join()
        self._socket.close()


@contextmanager
def sniffing(ports: set[int]) -> Iterator[Sniffer]:
    sniffer = Sniffer(ports)
    try:
        yield sniffer
    finally:
        sniffer.close()


def canary() -> str:
    return os.urandom(16).hex()


@as_root
@pytest.mark.e2e
def test_no_canary_is_on_the_wire(root: Path) -> None:
    """Texts, display names, file names and contents, over UDP and TCP."""
    canaries = {what: canary() for what in ("text", "name", "file", "content", "draft")}
    path = root / f"{canaries['file']}.bin"
    line = f"{canaries['content']} ".encode()
    path.write_bytes(line * (FILE_BYTES // len(line)))
    with two_engines(root, "--name", f"x{canaries['name']}") as (a, b):
        a.stop()
        with sniffing({a.port, b.port}) as sniffer:
            a.start()
            sent = a.cli("send", f"psst {canaries['text']}", "--wait", "delivered")
            assert sent.returncode == 0, sent.stderr
            moved = a.cli("send-file", str(path), "--wait", "done", "--timeout", "60")
            assert moved.returncode == 0, moved.stderr
            with b.attach("reader") as client:
                assert client.view.peers[0].info.display_name == f"x{canaries['name']}"
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                control.sendto(b"\0" * 40 + canaries["draft"].encode(), ("127.0.0.1", b.port))
    seen = bytes(sniffer.seen)
    assert len(seen) > FILE_BYTES, "the file itself was on the wire"
    assert canaries.pop("draft").encode() in seen, "plain text would have been seen"
    for what, secret in canaries.items():
        for form in (secret.encode(), bytes.fromhex(secret), secret.encode("utf-16-le")):
            assert form not in seen, what


PROBE = """
import os, socket, sys
reached = []
for place in sys.argv[2:]:
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(place)
            reached.append("connect " + place)
        except OSError as error:
            assert error.errno == 13, (place, error)
for folder, folders, files in os.walk(sys.argv[1]):
    for name in files:
        path = os.path.join(folder, name)
        try:
            open(path, "rb").close()
            reached.append("read " + path)
        except OSError:
            pass
    for name in folders + [""]:
        path = os.path.join(folder, name)
        if os.access(path, os.W_OK):
            reached.append("write " + path)
print("\\n".join(reached))
"""


@as_root
@pytest.mark.e2e
def test_another_user_of_the_machine_gets_nowhere(root: Path) -> None:
    with two_engines(root) as (a, b):
        file = root / "shared.txt"
        file.write_text("open to all")
        moved = a.cli("send-file", str(file), "--wait", "done", "--timeout", "60")
        assert moved.returncode == 0, moved.stderr
        connections = (a.connection, b.connection)
        places = [
            url.removeprefix("ipc://")
            for connection in connections
            for url in (connection.events, connection.commands)
        ]
        assert all(place.startswith(str(root)) for place in places)
        command = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
        probe = subprocess.run(
            [*command, "/usr/bin/python3", "-I", "-c", PROBE, str(root), *places],
            capture_output=True,
            text=True,
            check=False,
        )
        assert probe.returncode == 0, probe.stderr
        assert probe.stdout.split("\n")[:-1] == [f"read {file}"]
        for engine in (a, b):
            session = Path(engine.connection_path).parent
            assert session.stat().st_mode & 0o077 == 0
            loose = [path for path in session.rglob("*") if path.lstat().st_mode & 0o077]
            assert [path for path in loose if not path.is_dir()] == []


def forms(secret: bytes) -> list[bytes]:
    """A secret as it might stand somewhere."""
    b32 = base64.b32encode(secret).rstrip(b"=")
    b64 = base64.b64encode(secret).rstrip(b"=")
    return [secret, secret.hex().encode(), b32, b32.lower(), b64, base64.urlsafe_b64encode(secret)]


def processes_of(engine: RealEngine) -> list[int]:
    """The engine and everything that it started."""
    assert engine.process
    found = [engine.process.pid]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


@pytest.mark.e2e
def test_no_secret_is_in_process_lists_or_logs(root: Path) -> None:
    """Invited, verified, a file sent; then look at everything that others may read or be sent."""
    a, b = (
        RealEngine(root, "a", "--bind", "127.0.0.1"),
        RealEngine(root, "b", "--bind", "127.0.0.1"),
    )
    try:
        a.start("--log-level", "debug")
        b.start("--log-level", "debug")
        invited = a.cli("invite")
        code = code_in(invited.stdout)
        paper = root / "paper"
        paper.write_text(code)
        paper.chmod(0o600)
        added = b.cli("peer", "add", "127.0.0.1", str(a.port), "--invite-file", str(paper))
        assert added.returncode == 0, added.stderr
        with b.attach("waits") as client:
            assert client.wait_until(lambda: is_up(client), WITHIN_S)
            assert client.view.peers[0].info.trust == Trust.VERIFIED
        moved = b.cli("send-file", str(paper), "--wait", "done", "--timeout", "60")
        assert moved.returncode == 0, moved.stderr
        assert len(processes_of(a)) > 1, "the file process runs"
        shown = b""
        for engine in (a, b):
            for pid in processes_of(engine):
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
                assert not re.search(rb"[0-9a-f]{40}|[a-z2-7]{52}", arguments)
                shown += arguments + Path(f"/proc/{pid}/environ").read_bytes()
            folder = Path(engine.connection_path).parent
            log = (folder / "engine.log").read_bytes()
            assert b"connectivity:connection_started" in log
            private = (str(root).encode(), b"paper")
            assert [one for one in private if one in log] == []
            shown += log
            shown += Path(engine.connection_path).read_bytes()
            shown += (folder / "known_peers").read_bytes()
            shown += "".join(engine.said).encode()
            for words in (["status", "--json"], ["peers", "--json"]):
                shown += engine.cli(*words).stdout.encode()
        raw = parse_invite(code)
        secrets = [*forms(raw), *forms(invite_psk(raw)), code.encode(), code.upper().encode()]
        for engine in (a, b):
            key = (Path(engine.connection_path).parent / "identity.key").read_bytes()[:32]
            secrets += forms(key)
        assert [secret for secret in secrets if secret in shown] == []
        for engine in (a, b):
            stored = b"".join(
                path.read_bytes() for path in engine.database.parent.glob("history.db*")
            )
            assert [secret for secret in secrets if secret in stored] == []
        numbers = [engine.cli("peer", "verify").stdout for engine in (a, b)]
        assert numbers[0] == numbers[1]
        assert len(numbers[0].split()) == 12
        peers = json.loads(a.cli("peers", "--json").stdout)
        assert peers["trust"] == Trust.VERIFIED
    finally:
        for engine in (a, b):
            engine.stop()


GREET = """
import socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.settimeout(5)
    sock.connect(sys.argv[1])
    try:
        print(len(sock.recv(10)))
    except ConnectionResetError:
        print(0)
"""


@as_root
@pytest.mark.e2e
def test_another_user_is_turned_away_even_where_the_folder_lets_it_in(root: Path) -> None:
    """The filter on user ids: the second lock behind the 0700 folder."""
    with two_engines(root) as (a, _):
        place = a.connection.commands.removeprefix("ipc://")
        os.chmod(os.path.dirname(place), 0o755)
        os.chmod(place, 0o777)
        probe = ["/usr/bin/python3", "-I", "-c", GREET, place]
        other = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
        answers = [
            subprocess.run([*user, *probe], capture_output=True, text=True, check=True).stdout
            for user in ([], other)
        ]
    assert answers == ["10\n", "0\n"]
