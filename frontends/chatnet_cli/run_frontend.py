"""Runs one front end as a process of its own: `python -m chatnet_cli.run_frontend MOD:FUNC FILE`.

Whatever a stranger's front end does, this process is all it can take down.
"""

import importlib
import sys
from collections.abc import Sequence

from chatnet_client.streams import open_standard_streams

USAGE = "usage: python -m chatnet_cli.run_frontend MODULE:FUNCTION CONNECTION_FILE [ARGUMENT...]"


def main(argv: Sequence[str]) -> int:
    """Import the front end and call `main(argv, connection_file)`; its exit code."""
    open_standard_streams()
    if len(argv) < 2 or ":" not in argv[0]:
        sys.stderr.write(USAGE + "\n")
        return 2
    module, _, function = argv[0].partition(":")
    try:
        run = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        sys.stderr.write(f"The front end {argv[0]} cannot be loaded: {error}.\n")
        return 1
    try:
        return int(run(list(argv[2:]), argv[1]))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
