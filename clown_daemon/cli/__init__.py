"""The command lines of the daemon: one module a command. Printing help imports no server code."""
