"""Puts an engine together, in the only order that is safe, and shuts it down.

Lock, then UDP port, then log, then key and history, then local sockets, then the connection file
that tells front ends to come. (With port 0 and no session name the UDP port comes first, because
it names the session.)
"""

import logging
import os
import platform
import signal
import sqlite3
import types
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from chatnet_engine.io.address_watch import open_address_watch
from chatnet_engine.io.backup import BackupMaker, SessionPaths, sweep
from chatnet_engine.io.clock import read_now
from chatnet_engine.io.file_link import FileLink, file_command
from chatnet_engine.io.history_file import HistoryFile
from chatnet_engine.io.impair import Impairment, ImpairSpec
from chatnet_engine.io.ipc import IpcServer, choose_socket_dir, socket_name
from chatnet_engine.io.log import close_log, open_log
from chatnet_engine.io.machine import Machine
from chatnet_engine.io.resolver import Resolver
from chatnet_engine.io.restart_policy import STOP_SIGNALS
from chatnet_engine.io.runner import Runner
from chatnet_engine.io.self_test import is_aes_fast
from chatnet_engine.io.session import SessionFolder, choose_inbox, default_home
from chatnet_engine.io.start_files import remove_ended, write_ended, write_start_file
from chatnet_engine.io.store import HistoryReader, Store
from chatnet_engine.io.stretcher import Stretcher
from chatnet_engine.io.trace_log import TraceLog, salt_of
from chatnet_engine.io.trace_stream import TraceStream
from chatnet_engine.io.udp import ANY_IPV4, UdpSocket, open_udp
from chatnet_engine.io.wakeup import WakeUp
from chatnet_engine.node.config import NodeConfig
from chatnet_engine.node.node import Node
from chatnet_engine.secure.identity import Identity
from chatnet_engine.store_ops.commit import Loaded
from chatnet_engine.trace import Tracer
from chatnet_protocol.addresses import show_address
from chatnet_protocol.errors import ChatNetError, CommandError, ErrorCode
from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc.envelope import BOOT_BYTES
from chatnet_protocol.ipc.rows import SessionRow
from chatnet_protocol.ipc.session_files import ConnectionFile, Ended, session_dir
from chatnet_protocol.ipc.view import View
from chatnet_protocol.version import IPC_VERSION, PRODUCT_VERSION, WIRE_VERSION

logger = logging.getLogger(__name__)

SIGNAL = "signal "
"""How a reason to stop begins that is no front end's."""
ANY_ADDRESS = ("::", ANY_IPV4)
TYPED_PEER_S = 2.0
"""A start waits this long for the first commit of a peer that was typed."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What the command line says."""

    local_port: int
    """0: any free one."""
    peer_host: str = ""
    peer_port: int = 0
    """0: no peer typed."""
    session: str = ""
    """Empty: named after the port."""
    bind: str = ""
    """Empty: all addresses."""
    display_name: str = ""
    impair: ImpairSpec | None = None
    limit_bytes_s: int = 0
    """Of files, in each direction; 0: none."""
    log_level: str = "info"
    ways: tuple[str, ...] = ()
    """Of `session_state.COSTS`: what the user accepts to lose."""
    umask: int = 0o077
    """Of the user, for files that arrive; everything else is private."""
    lasting: tuple[str, ...] = ()
    """The options that hold for the next start of this engine too."""
    kept_by: str = ""
    """Who starts this engine again, if that is no supervisor of ours."""
    restarts: int = 0
    died_of: str = ""
    """Of the engine before, which died."""


class Engine:
    """One session's engine, ready to run. The caller closes it."""

    def __init__(
        self,
        config: EngineConfig,
        environ: Mapping[str, str],
        *,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Heeds signals from here on. Raises CommandError with one sentence for a person."""
        with ExitStack() as undo:
            self.folder = ""
            self.arguments: list[str] = []
            """Of the command line, for the next start of this engine."""
            self._session_folder: SessionFolder | None = None
            try:
                self._build(config, environ, random, undo)
            except CommandError as error:
                self._note_refused(error.detail)
                raise
            except OSError as error:
                words = f"The engine cannot start: {error}."
                self._note_refused(words)
                raise CommandError(ErrorCode.FILE, words) from None
            except Exception:
                logger.exception("the engine cannot start")
                raise
            self._undo = undo.pop_all()

    def run(self) -> str:
        """Until a signal, a command or a broken invariant ends it; the reason."""
        self._machine.files.start(read_now().mono_s)
        reason = self._runner.run()
        self._note_ended(Ended.STOPPED, reason)
        counted = ((name, count) for name, count in self._machine.counters().items() if count)
        counts = ", ".join(f"{name} {count}" for name, count in counted)
        asked = reason if reason.startswith(SIGNAL) else "a front end asked"
        logger.info("stopping: %s; %s", asked, counts)
        return reason

    def greeting(self) -> str:
        """One line for the user who started it in a terminal."""
        row = self.session
        where = f"UDP port {row.port}"
        if row.host not in ANY_ADDRESS:
            where = f"UDP {show_address(row.host, row.port)}"
        line = f"session {row.name} · listening on {where} · fingerprint {row.fingerprint}"
        return f"{line} · impaired: {row.impair}" if row.impair else line

    def close(self) -> None:
        """Shut it down, in the reverse order of its making."""
        self._undo.close()

    def _build(
        self,
        config: EngineConfig,
        environ: Mapping[str, str],
        random: Callable[[int], bytes],
        undo: ExitStack,
    ) -> None:
        folder, udp = self._open_session(config, default_home(environ), undo)
        self.log_fd = _open_log(folder, config.log_level, undo)
        sweep(folder.path)
        private_key, known_peers = folder.open_state(random, config.ways)
        self.session = _session_row(config, folder, udp, private_key, environ)
        now = read_now()
        wakeup = WakeUp()
        undo.callback(wakeup.close)
        store = Store(folder.open_ledger, self.session, wakeup.ring)
        undo.callback(store.stop)
        socket_dir = choose_socket_dir(environ, folder.path)
        ipc = IpcServer(socket_dir, socket_name(folder.path), now.mono_s)
        undo.callback(ipc.close)
        is_debug = config.log_level == "debug"
        node_config = NodeConfig(
            session=self.session,
            boot=random(BOOT_BYTES),
            incarnation=int.from_bytes(random(8), "big") or 1,
            private_key=private_key,
            fast_aes=is_aes_fast(),
            trace=Tracer(detail=is_debug),
        )
        loaded, view = _wait_loaded(store)
        addresses = open_address_watch()
        undo.callback(addresses.close)
        self._machine = Machine(
            wakeup=wakeup,
            udp=udp,
            ipc=ipc,
            store=store,
            history=HistoryReader(lambda: HistoryFile(folder.history_path), wakeup.ring),
            backups=BackupMaker(_paths(folder), wakeup.ring),
            resolver=Resolver(udp.family, wakeup.ring),
            stretcher=Stretcher(wakeup.ring),
            addresses=addresses,
            files=_file_link(config, folder, udp),
            trace_log=TraceLog(salt_of(private_key), full=is_debug),
            trace_stream=TraceStream(ipc, node_config.trace, node_config.boot, private_key),
            impairment=Impairment(config.impair) if config.impair else None,
            now=now,
        )
        node = Node(node_config, loaded, view, known_peers, random=random, now=now)
        if config.peer_port:
            node.dial_typed(config.peer_host, config.peer_port)
        self._runner = Runner(node, self._machine, read_now)
        undo.callback(self._machine.close)
        self._heed_signals(undo)
        self._keep_typed_peer()
        self.arguments = [str(self.session.port), *config.lasting, "--session", folder.name]
        write_start_file(folder.path, self.arguments, config.kept_by)
        folder.write_connection_file(_connection_file(self.session, node_config.boot, ipc))
        undo.callback(folder.remove_connection_file)
        self._log_start()

    def _open_session(
        self, config: EngineConfig, home: str, undo: ExitStack
    ) -> tuple[SessionFolder, UdpSocket]:
        udp: UdpSocket | None = None
        if not config.session and config.local_port == 0:
            udp = open_udp(config.bind, 0)
            undo.callback(udp.close)
        name = config.session or str(udp.local[1] if udp else config.local_port)
        folder = SessionFolder(session_dir(home, name), name)
        undo.callback(folder.close)
        self.folder = folder.path
        self._session_folder = folder
        remove_ended(folder.path)
        if udp is None:
            udp = open_udp(config.bind, config.local_port)
            undo.callback(udp.close)
        return folder, udp

    def _log_start(self) -> None:
        row = self.session
        logger.info(
            "started: version %s, wire %d, local protocol %d, Python %s, SQLite %s, UDP port %d%s",
            row.version,
            WIRE_VERSION,
            IPC_VERSION,
            platform.python_version(),
            sqlite3.sqlite_version,
            row.port,
            f", impaired: {row.impair}" if row.impair else "",
        )
        if row.restarts:
            logger.warning("restart %d: the engine before died of %s", row.restarts, row.died_of)

    def _keep_typed_peer(self) -> None:
        """A typed peer is durable before anybody may rely on this engine being started again."""
        deadline_s = read_now().mono_s + TYPED_PEER_S
        self._runner.flush()
        while not self._machine.store.idle and read_now().mono_s < deadline_s:
            self._runner.turn()

    def _note_refused(self, sentence: str) -> None:
        """A session that never ran leaves no folder; another one says why its engine ended."""
        if self._session_folder and not self._session_folder.remove_if_unused():
            self._note_ended(Ended.REFUSED, sentence)

    def _note_ended(self, code: Ended, detail: str) -> None:
        if self.folder:
            write_ended(self.folder, code, detail)

    def _heed_signals(self, undo: ExitStack) -> None:
        for number in STOP_SIGNALS:
            undo.callback(signal.signal, number, signal.signal(number, self._heed_signal))
        old_fd = signal.set_wakeup_fd(self._machine.wakeup.ring_fd, warn_on_full_buffer=False)
        undo.callback(signal.set_wakeup_fd, old_fd)

    def _heed_signal(self, number: int, frame: types.FrameType | None) -> None:
        self._runner.ask_stop(f"{SIGNAL}{signal.Signals(number).name}")


def _open_log(folder: SessionFolder, level: str, undo: ExitStack) -> int:
    try:
        log_fd = open_log(folder.log_path, level)
    except OSError as error:
        raise CommandError(
            ErrorCode.FILE, f"{folder.log_path} cannot be written: {error.strerror}."
        ) from None
    undo.callback(close_log)
    return log_fd


def _session_row(
    config: EngineConfig,
    folder: SessionFolder,
    udp: UdpSocket,
    private_key: bytes,
    environ: Mapping[str, str],
) -> SessionRow:
    public = Identity.from_private_bytes(private_key).public
    host, port = udp.local
    return SessionRow(
        name=folder.name,
        display_name=config.display_name,
        host=host,
        port=port,
        key=public,
        fingerprint=fingerprint(public),
        inbox=choose_inbox(folder, environ.get("HOME") or os.path.expanduser("~")),
        impair=config.impair.text() if config.impair else "",
        log=folder.log_path,
        version=PRODUCT_VERSION,
        restarts=config.restarts,
        died_of=config.died_of,
        limit_bytes_s=config.limit_bytes_s,
    )


def _file_link(config: EngineConfig, folder: SessionFolder, udp: UdpSocket) -> FileLink:
    host, port = udp.local
    return FileLink(file_command(port, host, config.umask, folder.listings_path))


def _paths(folder: SessionFolder) -> SessionPaths:
    return SessionPaths(folder.history_path, folder.identity_path, folder.known_peers_path)


def _wait_loaded(store: Store) -> tuple[Loaded, View]:
    try:
        return store.wait_loaded()
    except ChatNetError as error:
        raise CommandError(ErrorCode.STORE, str(error)) from None
    except (sqlite3.Error, OSError) as error:
        raise CommandError(ErrorCode.STORE, f"The history cannot be opened: {error}.") from None


def _connection_file(session: SessionRow, boot: bytes, ipc: IpcServer) -> ConnectionFile:
    return ConnectionFile(
        session=session.name,
        boot=boot.hex(),
        pid=os.getpid(),
        ipc_version=IPC_VERSION,
        product_version=PRODUCT_VERSION,
        events=ipc.events_endpoint,
        commands=ipc.commands_endpoint,
        port=session.port,
    )
