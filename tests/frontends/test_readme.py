"""The example in frontends/README.md is a program that works."""

import re
import subprocess
import sys
import threading
from pathlib import Path

from fake_engine import FakeEngine

README = Path(__file__).parents[2] / "frontends" / "README.md"


def test_the_stranger_s_front_end(own_home: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    program = own_home / "counter.py"
    program.write_text(source, "utf-8")
    with FakeEngine(own_home) as engine:
        attached = threading.Event()
        answer = engine.core.answer

        def answered(routing_id: bytes, command: object) -> object:
            if type(command).__name__ == "FetchSnapshot":
                attached.set()
            return answer(routing_id, command)  # type: ignore[arg-type]

        engine.core.answer = answered  # type: ignore[method-assign,assignment]
        with subprocess.Popen([sys.executable, str(program), engine.connection_file]) as process:
            assert attached.wait(30)
            engine.do(lambda core: core.receive(1, "héllo"))
            engine.do(lambda core: core.receive(1, "stop"))
            assert process.wait(30) == 0
        texts = [row.text for _, row in engine.core.history if row.mine]
        assert texts == ["5 characters"]
        assert engine.core.peer(1).my_read == 2
