"""The kernel's own word that an address came or went, in a network namespace."""

import subprocess
import sys
from functools import cache

import pytest

from realworld.namespaces import cable, why_not

WATCH = """
import select, sys, time
from chatnet_engine.io.address_watch import open_address_watch

watch = open_address_watch()
print("watching", flush=True)
for line in sys.stdin:
    select.select([watch], [], [], 30)
    watch.handle_readable()
    print(watch.take_change(float(line)), flush=True)
"""


@cache
def obstacle() -> str:
    return why_not()


@pytest.mark.parametrize("address", ["10.9.0.5/24", "fd09::5/64"])
def test_the_kernel_reports_addresses(address: str) -> None:
    if obstacle():
        pytest.skip(obstacle())
    with cable({"a": (), "b": ()}) as line:
        command = [*line.within("a"), sys.executable, "-c", WATCH]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as program:
            assert program.stdin
            assert program.stdout
            assert program.stdout.readline() == "watching\n"
            for second, act in enumerate((line.add, line.remove, line.add)):
                act("a", address)
                print(second * 10, file=program.stdin, flush=True)
                assert program.stdout.readline() == "True\n", second
            program.stdin.close()
