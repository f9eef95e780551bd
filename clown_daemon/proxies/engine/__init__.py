"""The proxy process of one profile: it passes requests and answers on byte by byte, and meters the answers.

It is a child of the daemon, `python -m clown_daemon.proxies.engine`, and goes on while the daemon is down.

| module | holds |
|---|---|
| `instructions` | what the daemon tells it, on standard input |
| `server` | one request from its head to the record of it |
| `calls` | which requests bill, and by which wire format, pure |
| `routing` | which upstream a request goes to, pure |
| `headers`, `addresses`, `bodies` | what is changed on the way, and nothing else is, pure |
| `answers` | answers of its own, in the shape that the agent expects, pure |
| `upstream` | the connection to the provider |
| `spool` | the records, appended to a file that the daemon reads |
"""
