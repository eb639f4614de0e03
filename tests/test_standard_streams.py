"""Programs that are started with closed standard streams."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROBE = """
import os, sys
sys.path[:0] = [{root!r} + "/" + name for name in ("protocol", "engine", "frontends")]
from {module} import open_standard_streams
open_standard_streams()
print("said")
print("noted", file=sys.stderr)
assert os.open("/", os.O_RDONLY) > 2
assert all(os.get_inheritable(number) for number in range(3))
assert sys.stdin.read() == ""
open({report!r}, "w").write("done")
"""


@pytest.mark.parametrize("closed", [c for c in product((True, False), repeat=3) if any(c)])
@pytest.mark.parametrize("module", ["chatnet_client.streams", "chatnet_engine.io.standard_streams"])
def test_closed_streams_are_the_null_device(
    tmp_path: Path, module: str, closed: tuple[bool, bool, bool]
) -> None:
    report = tmp_path / "report"
    probe = PROBE.format(root=str(ROOT), module=module, report=str(report))
    closing = [f"{number}>&-" for number, shut in enumerate(closed) if shut]
    done = subprocess.run(
        ["sh", "-c", f'exec {" ".join(closing)}; exec "$0" -I -c "$1"', sys.executable, probe],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert report.exists(), done.stderr
    assert done.returncode == 0, done.stderr
    assert done.stdout == (b"" if closed[1] else b"said\n")
    assert done.stderr == (b"" if closed[2] else b"noted\n")
