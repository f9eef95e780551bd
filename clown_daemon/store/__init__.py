"""All SQL of the daemon.

`database` owns the one writer thread and the reader thread, `event_log` the outbox and its numbering, `migrations/` the
schema; then one module a feature, each translating rows into `clown_daemon.protocol.resources` and back.
"""
