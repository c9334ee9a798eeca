"""The command line: `python -m afloc COMMAND …`."""

import sys

from afloc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
