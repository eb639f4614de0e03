"""Two network namespaces joined by a cable, with the addresses that a test wants. As root."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

SIDES = "ab"
CONTROLS = "net.ipv4.tcp_allowed_congestion_control"
"""What a namespace may have as its congestion control."""
_numbers = itertools.count()


class Cable:
    """Sides `a` and `b`; each has one interface, `w` and its letter."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def within(self, side: str) -> tuple[str, ...]:
        """What runs a command on that side."""
        return ("ip", "netns", "exec", self._names[side])

    def add(self, side: str, address: str) -> None:
        """Give it an address, with the length of its prefix."""
        no_wait = ["nodad"] if ":" in address else []
        self._ip(side, "addr", "add", address, "dev", f"w{side}", *no_wait)

    def remove(self, side: str, address: str) -> None:
        """Take an address away."""
        self._ip(side, "addr", "del", address, "dev", f"w{side}")

    def let_in_answers_only(self, side: str) -> None:
        """A stateful firewall: what this side did not begin is dropped without a word."""
        rules = """
            table inet only_answers {
                chain input {
                    type filter hook input priority 0;
                    meta l4proto udp ct state new drop
                }
            }
        """
        run(*self.within(side), "nft", "-f", "-", stdin=rules)

    def let_in_everything(self, side: str) -> None:
        """Take the firewall away."""
        run(*self.within(side), "nft", "flush", "ruleset")

    def _ip(self, side: str, *args: str) -> None:
        run("ip", "-n", self._names[side], *args)


def run(*command: str, stdin: str = "") -> None:
    """Raises CalledProcessError when it fails."""
    subprocess.run(command, check=True, input=stdin, text=True, capture_output=True)


def why_not_control(name: str) -> str:
    """Why a namespace cannot have this congestion control; "" when it can."""
    allowed = Path("/proc/sys", *CONTROLS.split(".")).read_text(encoding="ascii").split()
    return "" if name in allowed else f"{CONTROLS} does not list {name}; add it with sysctl"


def why_not() -> str:
    """Why no cable can be made here; "" when it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    try:
        with cable({"a": (), "b": ()}) as made:
            made.let_in_answers_only("a")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"this machine makes no network namespaces: {error}"
    return ""


@contextmanager
def cable(addresses: Mapping[str, Sequence[str]]) -> Iterator[Cable]:
    """Both sides with their addresses, in this order; gone at the end."""
    number = next(_numbers)
    names = {side: f"cn{os.getpid()}-{number}{side}" for side in SIDES}
    made: list[str] = []
    try:
        for name in names.values():
            run("ip", "netns", "add", name)
            made.append(name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        first = ["ip", "link", "add", "wa", "netns", names["a"]]
        run(*first, "type", "veth", "peer", "name", "wb", "netns", names["b"])
        both = Cable(names)
        for side, name in names.items():
            for address in addresses[side]:
                both.add(side, address)
            run("ip", "-n", name, "link", "set", f"w{side}", "up")
        yield both
    finally:
        for name in made:
            run("ip", "netns", "del", name)
