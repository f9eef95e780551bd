import sqlite3

from clown_daemon.store.usage_keys import key_hash, register, twin_hash


def test_hashes_never_change_since_they_are_in_ledgers() -> None:
    assert key_hash("anthropic|msg_1|req_1").hex() == "39abe19715087d27b29ac4bc94442de0"
    assert twin_hash("claude", "msg_1|10|40|30") == 3_706_817_012_360_121_981


def test_sql_has_the_same_hashes() -> None:
    connection = sqlite3.connect(":memory:")
    register(connection)
    found = connection.execute("SELECT blake2b_16('a|b'), blake2b_8('claude|t')").fetchone()
    assert found == (key_hash("a|b"), twin_hash("claude", "t"))
    connection.close()
