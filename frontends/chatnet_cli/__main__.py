"""`python -m chatnet_cli`: the same as `chatnet`."""

import sys

from chatnet_cli.app import main

sys.exit(main())
