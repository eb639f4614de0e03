"""The example in frontends/README.md is a program that works."""

import re
import subprocess
import sys
import threading
from pathlib import Path

from chatnet_protocol.ipc import commands as cmd
from local_engine import LocalEngine

README = Path(__file__).parents[2] / "frontends" / "README.md"


def test_the_stranger_s_front_end(own_home: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    program = own_home / "counter.py"
    program.write_text(source, "utf-8")
    with LocalEngine(own_home) as engine:
        attached = threading.Event()
        engine.world.then[cmd.FetchSnapshot] = lambda world: attached.set()
        with subprocess.Popen([sys.executable, str(program), engine.connection_file]) as process:
            assert attached.wait(30)
            engine.do(lambda world: world.peer_sends("héllo"))
            engine.do(lambda world: world.peer_sends("stop"))
            assert process.wait(30) == 0
        texts = [row.text for _, row in engine.world.history if row.mine]
        assert texts == ["5 characters"]
        assert engine.world.peer().my_read == 2
