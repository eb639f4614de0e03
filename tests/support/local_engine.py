"""A LocalWorld behind the engine's own local sockets, with a connection file like a session's.

One thread turns it: simulated time goes on as real time does, and as far as a verb takes it.

    with LocalEngine(home) as engine:             # session "12345", peer 1 "bob", its link is up
        client = Client.attach(engine.connection_file, name="test")
        engine.do(lambda world: world.peer_sends("hello"))
"""

import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from chatnet_engine.io.ipc import IpcServer
from chatnet_protocol.ipc.session_files import ConnectionFile, encode_connection_file
from chatnet_protocol.version import IPC_VERSION, PRODUCT_VERSION
from local_world import LocalWorld

T = TypeVar("T")
LONGEST_WAIT_S = 0.5


class LocalEngine:
    """Serves the engine of one world, as often as it is started."""

    def __init__(self, home: str | Path, world: LocalWorld | None = None) -> None:
        self.world = world or LocalWorld()
        self.session = self.world.view.session
        self.folder = Path(home) / "sessions" / self.session.name
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.connection_file = str(self.folder / "connection.json")
        self.silent = False
        """While true nothing is answered or published, as of a stopped process."""
        self._lock = threading.RLock()
        self._arrived = threading.Condition(self._lock)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._thread: threading.Thread | None = None
        self._failed: BaseException | None = None
        self._running = False

    def start(self) -> None:
        """Boot the engine if it is down, bind, write the connection file, serve."""
        if not self.world.engine.is_up:
            self.world.boot()
        boot = self.world.engine.node.config.boot.hex()
        self._ipc = IpcServer(str(self.folder), boot[-4:], time.monotonic())
        connection = ConnectionFile(
            session=self.session.name,
            boot=boot,
            pid=os.getpid(),
            ipc_version=IPC_VERSION,
            product_version=PRODUCT_VERSION,
            events=self._ipc.events_endpoint,
            commands=self._ipc.commands_endpoint,
            port=self.session.port,
        )
        Path(self.connection_file).write_bytes(encode_connection_file(connection))
        self._running = True
        self._thread = threading.Thread(target=self._serve, name="local-engine")
        self._thread.start()

    def stop(self) -> None:
        """End like kill -9 does: the connection file stays."""
        if self._thread is None:
            return
        self._running = False
        self._ring()
        self._thread.join()
        self._thread = None
        if self.world.engine.is_up:
            self.world.crash()
        if self._failed is not None:
            raise self._failed

    def restart(self) -> None:
        """kill -9 and a new boot over the same durable state."""
        self.stop()
        self.start()

    def do(self, action: Callable[[LocalWorld], T]) -> T:
        """Run `action(world)`; front ends get what comes of it."""
        with self._lock:
            result = action(self.world)
        self._ring()
        return result

    def seen(self, kind: type[T]) -> list[T]:
        """The commands of one type that arrived so far."""
        with self._lock:
            return [command for command in self.world.seen if isinstance(command, kind)]

    def await_seen(self, kind: type[T], timeout_s: float = 60.0) -> list[T]:
        """The commands of one type, once there is one; none if the time is over."""
        with self._arrived:
            self._arrived.wait_for(lambda: self.seen(kind), timeout_s)
        return self.seen(kind)

    def close(self) -> None:
        """Stop and free everything."""
        try:
            self.stop()
        finally:
            os.close(self._wake)

    def _ring(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _serve(self) -> None:
        try:
            self._turn_until_the_end()
        except BaseException as error:  # noqa: BLE001 (raised again by `stop`)
            self._failed = error
        finally:
            self._ipc.close()

    def _turn_until_the_end(self) -> None:
        ipc, world = self._ipc, self.world
        waited_for = [self._wake, ipc.events_fd, ipc.commands_fd]
        before_s = time.monotonic()
        while self._running:
            with self._lock:
                due_s = world.clock.next_s() - world.clock.now_s
            wait_s = min(LONGEST_WAIT_S, due_s, ipc.next_timeout() - time.monotonic())
            if self._wake in select.select(waited_for, [], [], max(0.0, wait_s))[0]:
                os.eventfd_read(self._wake)
            now_s = time.monotonic()
            with self._lock:
                self._turn(ipc, now_s, now_s - before_s)
            before_s = now_s

    def _turn(self, ipc: IpcServer, now_s: float, passed_s: float) -> None:
        world = self.world
        ipc.handle_events(now_s)
        ipc.handle_commands(now_s)
        while (request := ipc.receive(now_s)) is not None:
            if not self.silent:
                routing_id, frames = request
                world.request(routing_id, frames[0])
                self._arrived.notify_all()
        for routing_id in ipc.take_gone():
            world.engine.client_gone(routing_id)
        world.run(passed_s)
        for routing_id, frame in world.take_replies():
            ipc.reply(routing_id, frame)
        world.run(0.0)
        for topic, frame in world.take_publications():
            if not self.silent:
                ipc.publish(topic, frame)
        if now_s >= ipc.next_timeout():
            ipc.handle_timeout(now_s)
        ipc.flush()
        if not world.engine.is_up:
            Path(self.connection_file).unlink(missing_ok=True)
            self._running = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
