"""`python -m chatnet_qt --connection FILE`."""

import sys

from chatnet_qt.app import run_module

sys.exit(run_module(sys.argv[1:]))
