"""Keys of the ledger as they are stored: hashes, since the texts are five times as long and are only ever compared.

Pure. 16 bytes tell responses apart: two of 10**9 responses share a key with a chance of 10**-21. A twin alone decides
nothing about money that is not also a replay by session, so eight bytes do, and SQLite stores them as an integer.
"""

import sqlite3
from hashlib import blake2b


def key_hash(key: str) -> bytes:
    """Answer what `Response.key` is stored as."""
    return blake2b(key.encode(), digest_size=16).digest()


def twin_hash(agent_id: str, twin: str) -> int:
    """Answer what `Response.twin` is stored as: twins are of one agent."""
    return _signed(f"{agent_id}|{twin}")


def register(connection: sqlite3.Connection) -> None:
    """Give SQL the two hashes, which migrations need."""
    connection.create_function("blake2b_16", 1, key_hash, deterministic=True)
    connection.create_function("blake2b_8", 1, _signed, deterministic=True)


def _signed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)
