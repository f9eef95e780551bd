"""`python -m tests.interop.install`: fetch the clients of `clients.txt` and the Autobahn suite, each once."""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.interop.autobahn.suite import install
from tests.interop.clients import AUTOBAHN, Client, clients


def main() -> None:
    """Fetch what is missing; without npm, its packages are left out."""
    wanted = {client.package: client for client in clients()}
    if shutil.which("npm") is None:
        sys.stderr.write("no npm on this machine: its clients are left out\n")
        wanted = {package: client for package, client in wanted.items() if not client.needs_node}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Client.install, wanted.values()))
    if not AUTOBAHN.exists() and sys.version_info < (3, 13):
        partial = AUTOBAHN.with_name("autobahn.partial")
        shutil.rmtree(partial, ignore_errors=True)
        install(partial)
        partial.rename(AUTOBAHN)


if __name__ == "__main__":
    main()
