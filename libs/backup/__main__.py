"""``python -m libs.backup COMMAND``."""

import sys

from libs.backup.command import main

if __name__ == "__main__":
    sys.exit(main())
