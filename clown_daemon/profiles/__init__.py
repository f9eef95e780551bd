"""Profiles: a name for an agent with its provider, model, key and home; and the runs of it.

| module | holds |
|---|---|
| `rules` | what a profile may be, and how its agent is launched; pure |
| `loopback` | the loopback, kept out of the network's proxies; pure |
| `service` | create, read, change, delete |
| `launcher` | all that a start needs, made ready |
| `runner` | headless runs: run, stop, output, and the reconciliation at boot |
| `interactive`, `interactive_run` | runs that own the user's terminal |
| `unheard_ends` | their ends that no daemon was told of |
| `last_words` | ends of runs, into books that may refuse them for now |
| `homes` | the folders of profiles |
| `secrets` | API keys: the operating system's keyring, else a file |
| `output_tail` | the last output of an ended run, on disk |
| `private_file` | files that nobody else may read, replaced at once |
"""
