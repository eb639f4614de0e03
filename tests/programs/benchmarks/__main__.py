"""`scripts/bench [NAME…]`: runs the measurements in turn and prints what they found."""

import platform
import sys
import tempfile
from pathlib import Path

from benchmarks import (
    attach,
    bulk,
    drain,
    files,
    flood,
    hostile,
    latency,
    line,
    local,
    many,
    pace,
    partition,
    paths,
    peers,
    secure,
    stages,
    thin,
    tiny,
    window,
)

ALL = {
    "latency": latency.run,
    "drain": drain.run,
    "flood": flood.run,
    "stages": stages.run,
    "attach": attach.run,
    "local": local.run,
    "files": files.run,
    "many": many.run,
    "tiny": tiny.run,
    "pace": pace.run,
    "paths": paths.run,
    "secure": secure.run,
    "thin": thin.run,
    "line": line.run,
    "bulk": bulk.run,
    "partition": partition.run,
    "hostile": hostile.run,
    "peers": peers.run,
    "window": window.run,
}
WHEN_ASKED = {
    "bulk",
    "flood",
    "line",
    "pace",
    "paths",
    "partition",
    "hostile",
    "peers",
    "tiny",
    "window",
}
"""Take minutes, or need root."""


def main(names: list[str]) -> int:
    """Run the named ones, or all that take no minutes."""
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(ALL)}")
        return 2
    print(f"# {platform.machine()}, Python {platform.python_version()}, {_processors()} processors")
    for name in names or sorted(ALL.keys() - WHEN_ASKED, key=list(ALL).index):
        print(f"\n## {name}: {(ALL[name].__doc__ or '').splitlines()[0]}", flush=True)
        with tempfile.TemporaryDirectory(prefix="cnb-", dir="/tmp") as folder:
            for line in ALL[name](Path(folder)):
                print(line, flush=True)
    return 0


def _processors() -> int:
    with open("/proc/cpuinfo") as info:
        return sum(line.startswith("processor") for line in info)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
