"""``python -m deploy.compose``: see `cli`."""

import sys

from deploy.compose.cli import main

if __name__ == "__main__":
    sys.exit(main())
