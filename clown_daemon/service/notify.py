"""Tells a service manager how the daemon stands: one datagram to the socket it named (`man sd_notify`)."""

import logging
import socket
from collections.abc import MutableMapping

logger = logging.getLogger(__name__)


class Notifier:
    """Tells the service manager that started this process; tells nobody where there is none."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """Take the address from `NOTIFY_SOCKET` and remove it: agents must not speak for the daemon."""
        self._address = environ.pop("NOTIFY_SOCKET", "")

    def ready(self, url: str) -> None:
        """The daemon answers now."""
        self._tell("READY=1", f"STATUS=listening on {url}")

    def stopping(self, reason: str) -> None:
        """The daemon began to end."""
        self._tell("STOPPING=1", f"STATUS=stopping: {reason}")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # @ stands for the zero byte of Linux's abstract addresses, which have no file.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                sending.connect(address)
                sending.send("\n".join(lines).encode())
        except OSError as error:
            # The daemon serves whether or not somebody listens; its manager will see the process itself.
            logger.warning("the service manager at %s cannot be told: %s", self._address, error)
