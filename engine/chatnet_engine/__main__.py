"""`python -m chatnet_engine`: see chatnet_engine.main."""

import sys

from chatnet_engine.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
