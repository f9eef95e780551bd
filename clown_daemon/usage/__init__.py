"""Usage: what the agents' own logs say was spent, read once, de-duplicated, priced, and kept.

| module | holds |
|---|---|
| `formats` | one incremental parser per log format, pure |
| `pricing`, `model_names` | how a response is priced, and by which names its model is looked up, pure |
| `prices`, `price_files`, `user_prices` | the shipped price table, and reading it and the user's own |
| `price_watch` | the prices as they are now: read again when a file has changed |
| `price_refresh`, `quote` | newer prices on request; what a model costs, for people |
| `sources` | which agents write logs, where, and how each kind of them is read, pure |
| `scanner`, `inventory`, `places` | which log files there are, and whose they are; where to import from on request |
| `backlog` | what of them has to be read at all, pure |
| `reader` | reads what is new in a log, in a thread or in a worker |
| `worker`, `workers`, `jobs`, `frames`, `reading` | the same in processes of their own, for much at once |
| `watcher`, `mounts` | tells when and where to look again |
| `following` | what agents append, as it comes |
| `importing`, `progress` | what was there already, with progress, until it ends or is cancelled |
| `recorder`, `pace` | the one way into the ledger: rows, positions and events together, four times a second |
| `troubles` | what cannot be read, in sentences |
| `service` | all of that as the daemon sees it |
| `reports` | what is asked of the ledger: totals, time lines, sessions, exports |
| `csv_table`, `known` | an export for spreadsheets; refusing names that nobody knows |

The rows themselves are `clown_daemon.store.ledger` (pure) and `clown_daemon.store.usage` (SQL).
"""
