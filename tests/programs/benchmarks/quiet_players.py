"""Quiet peers on real sockets: `python -m benchmarks.quiet_players COUNT`.

Prints the ports of all sockets when they are bound, then the number of linked peers whenever it has
changed, at most once a second, until its standard input ends.
"""

import heapq
import os
import selectors
import socket
import sys
import time

from chatnet_engine.addresses import Addr
from simworld.quiet_peers import QuietPeer

MAX_WAIT_S = 0.2
SOCKET_BYTES = 1 << 16


class Player:
    """One peer and its socket."""

    def __init__(self, now: float) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.socket.setblocking(False)
        self.peer = QuietPeer(os.urandom, self.port, now)
        self.due = float("inf")

    def receive(self, now: float) -> None:
        """Take what has arrived."""
        while True:
            try:
                data, source = self.socket.recvfrom(2048)
            except BlockingIOError:
                return
            self.send(self.peer.receive(data, source, now))

    def send(self, datagrams: list[tuple[bytes, Addr]]) -> None:
        """To the engine."""
        for data, target in datagrams:
            self.socket.sendto(data, target)


class Players:
    """All of them; one heap of deadlines."""

    def __init__(self, count: int) -> None:
        now = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self.all = [Player(now) for _ in range(count)]
        self._heap: list[tuple[float, int]] = []
        for number, player in enumerate(self.all):
            self._selector.register(player.socket, selectors.EVENT_READ, number)
        self._selector.register(sys.stdin, selectors.EVENT_READ, -1)

    @property
    def linked(self) -> int:
        """How many are."""
        return sum(player.peer.linked for player in self.all)

    def turn(self) -> bool:
        """Serve what has arrived and what is due; whether to go on."""
        wait_s = self._heap[0][0] - time.monotonic() if self._heap else MAX_WAIT_S
        ready = self._selector.select(min(MAX_WAIT_S, max(0.0, wait_s)))
        now = time.monotonic()
        for key, _ in ready:
            if key.data < 0:
                return False
            self.all[key.data].receive(now)
            self._plan(key.data)
        while self._heap and self._heap[0][0] <= now:
            due, number = heapq.heappop(self._heap)
            player = self.all[number]
            if player.due == due:
                player.send(player.peer.handle_timeout(now))
                self._plan(number)
        return True

    def _plan(self, number: int) -> None:
        player = self.all[number]
        player.due = player.peer.next_timeout()
        if player.due < float("inf"):
            heapq.heappush(self._heap, (player.due, number))


def main() -> int:
    """Play until standard input ends."""
    players = Players(int(sys.argv[1]))
    print(*(player.port for player in players.all), flush=True)
    said, said_at = 0, 0.0
    while players.turn():
        if time.monotonic() >= said_at + 1.0:
            said_at = time.monotonic()
            linked = players.linked
            if linked != said:
                said = linked
                print(linked, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
