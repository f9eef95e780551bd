"""Profiles: a name for an agent with its provider, model, key and home; and the runs of it.

| module | holds |
|---|---|
| `rules` | what a profile may be, and how its agent is launched; pure |
| `service` | create, read, change, delete |
| `runner` | run, stop, output, and the reconciliation at boot |
| `locks` | one lock per profile |
| `homes` | the folders of profiles |
| `secrets` | API keys: the operating system's keyring, else a file |
| `output_tail` | the last output of an ended run, on disk |
| `private_file` | files that nobody else may read, replaced at once |
"""
