-- Commands with a key, so that a retry is answered and not carried out again. Neither keys nor requests are stored but
-- their HMACs, made with a secret of this database: a body may hold an API key. A row without a status is a command that
-- was begun and whose reply was never kept.
CREATE TABLE idempotency_secret (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    secret   BLOB NOT NULL
) STRICT;
INSERT INTO idempotency_secret (only_row, secret) VALUES (1, randomblob(32));

CREATE TABLE idempotency_keys (
    number  INTEGER PRIMARY KEY,
    key     BLOB NOT NULL UNIQUE,
    request BLOB NOT NULL,
    at_ms   INTEGER NOT NULL,
    status  INTEGER,
    body    BLOB
) STRICT;
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (at_ms);
