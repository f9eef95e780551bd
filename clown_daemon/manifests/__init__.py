"""Manifests: what Clown knows of agents and providers, as data. Bundled TOML, extended by the user's own files.

A new agent is a file, not code. Everything here is read once at start; see `catalogue.load_catalogue`.
"""
