"""Entry point of `python -m deploy.embedded`."""

import sys

from deploy.embedded.cli import main

sys.exit(main())
