"""The Clown daemon: owns profiles, detects and runs agents, meters them, and publishes every change as an event.

Importing this package costs nothing: `clown_daemon.protocol` (the contract) and `clown_daemon.client` (the client) are
used by programs that never run a daemon.
"""

__version__ = "0.1.0"
