"""`python -m clown_daemon` is `clown-daemon`."""

import sys

from clown_daemon.cli.daemon import main

sys.exit(main())
