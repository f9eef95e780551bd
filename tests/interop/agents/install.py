"""`python -m tests.interop.agents.install [AGENT ...]`: fetch the agents of `programs.txt`, each once (1.5 GB)."""

import shutil
import sys

from tests.interop.agents.programs import programs


def main() -> None:
    """Fetch what is missing of the named agents, or of all."""
    if shutil.which("npm") is None:
        sys.exit("no npm on this machine")
    known = programs()
    for agent in sys.argv[1:] or known:
        known[agent].install()


if __name__ == "__main__":
    main()
