"""Usage: what the agents' own logs say was spent, read once, de-duplicated, priced, and kept.

| module | holds |
|---|---|
| `formats` | one incremental parser per log format, pure |
| `pricing`, `model_names` | how a response is priced, and by which names its model is looked up, pure |
| `prices`, `price_files`, `user_prices` | the shipped price table, and reading it and the user's own |
| `price_refresh`, `quote` | newer prices on request; what a model costs, for people |
| `scanner` | which log files there are, and whose they are |
| `tailer` | reads what is new in them, in bounded batches |
| `watcher` | tells when to look again |
| `recorder` | one batch, one transaction: rows, offsets and events together |
| `service` | the feature as the daemon sees it |

The rows themselves are `clown_daemon.store.ledger` (pure) and `clown_daemon.store.usage` (SQL).
"""
