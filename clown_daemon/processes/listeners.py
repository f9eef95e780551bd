"""Who listens on a port of this machine, as far as the kernel tells us."""

import psutil


def port_owner(port: int) -> str | None:
    """Name the program that listens on a port, `python3 (pid 123)`; None where the kernel does not say. Reads /proc."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    return None
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return None
    return None
