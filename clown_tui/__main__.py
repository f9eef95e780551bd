"""`python -m clown_tui` is `clown-tui`."""

import sys

from clown_tui.cli import main

sys.exit(main())
