"""The daemon as a service of the user: what systemd and launchd are told, and what systemd passes to the daemon."""
