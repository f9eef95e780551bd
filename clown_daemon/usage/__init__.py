"""Usage: what the agents' own logs say was spent, read once, de-duplicated, priced, and kept.

| module | holds |
|---|---|
| `formats` | one incremental parser per log format, pure |
| `prices`, `pricing` | the shipped price table and how a response is priced, pure |
| `user_prices` | the user's own prices |
| `scanner` | which log files there are, and whose they are |
| `tailer` | reads what is new in them, in bounded batches |
| `watcher` | tells when to look again |
| `ledger_writer` | one batch, one transaction: rows, offsets and events together |
| `service` | the feature as the daemon sees it |
"""
