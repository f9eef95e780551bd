-- The event log: the transactional outbox. AUTOINCREMENT, so that a number is never used twice.
CREATE TABLE log_identity (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    log      TEXT NOT NULL
) STRICT;

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    type    TEXT NOT NULL,
    profile TEXT,
    at_ms   INTEGER NOT NULL,
    body    BLOB NOT NULL
) STRICT;

CREATE TABLE profiles (
    alias        TEXT PRIMARY KEY,
    agent_id     TEXT NOT NULL,
    provider_id  TEXT NOT NULL,
    endpoint_id  TEXT,
    model        TEXT,
    created_ms   INTEGER NOT NULL,
    last_used_ms INTEGER,
    home         TEXT NOT NULL,
    has_api_key  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
-- Names that differ in case alone would share a home where file systems fold case.
CREATE UNIQUE INDEX profiles_by_folded_alias ON profiles (alias COLLATE NOCASE);

-- One row per start of an agent, written before the spawn, so that no child is ever unknown. `number` orders them: it
-- grows also when the clock goes back.
CREATE TABLE runs (
    number         INTEGER PRIMARY KEY,
    run_id         TEXT NOT NULL UNIQUE,
    alias          TEXT NOT NULL,
    state          TEXT NOT NULL,
    pid            INTEGER,
    process_start  REAL,
    started_ms     INTEGER NOT NULL,
    ended_ms       INTEGER,
    exit_code      INTEGER,
    interactive    INTEGER NOT NULL DEFAULT 0,
    error          TEXT
) STRICT;
CREATE INDEX runs_by_alias ON runs (alias, number);
CREATE INDEX runs_open ON runs (number) WHERE ended_ms IS NULL;

-- What the last probe found of each agent.
CREATE TABLE agents (
    id          TEXT PRIMARY KEY,
    installed   INTEGER NOT NULL,
    version     TEXT,
    binary_path TEXT,
    body        BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The ledger: one row per billed response, kept for ever. Costs are whole picodollars; NULL is an unknown price.
CREATE TABLE usage_records (
    key               TEXT PRIMARY KEY,
    source            TEXT NOT NULL,
    profile           TEXT NOT NULL,
    agent_id          TEXT NOT NULL,
    model             TEXT NOT NULL,
    session           TEXT NOT NULL,
    project           TEXT,
    at_ms             INTEGER NOT NULL,
    message_id        TEXT,
    input_tokens      INTEGER NOT NULL,
    output_tokens     INTEGER NOT NULL,
    reasoning_tokens  INTEGER NOT NULL DEFAULT 0,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    web_searches      INTEGER NOT NULL DEFAULT 0,
    fast              INTEGER NOT NULL DEFAULT 0,
    sidechain         INTEGER NOT NULL DEFAULT 0,
    complete          INTEGER NOT NULL DEFAULT 1,
    input_pico        INTEGER,
    output_pico       INTEGER,
    cache_write_pico  INTEGER,
    cache_read_pico   INTEGER,
    total_pico        INTEGER,
    price_table       TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_by_time ON usage_records (at_ms);
CREATE INDEX usage_by_profile ON usage_records (profile, at_ms);
CREATE INDEX usage_by_message ON usage_records (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX usage_unpriced ON usage_records (model) WHERE total_pico IS NULL;

-- The ledger added up by quarter of an hour, written in the same transactions: every time zone in use is a multiple of
-- 15 minutes off UTC, so the days of any user can be cut from it, and no total has to read the whole ledger.
CREATE TABLE usage_quarters (
    profile            TEXT NOT NULL,
    quarter_ms         INTEGER NOT NULL,
    model              TEXT NOT NULL,
    session            TEXT NOT NULL,
    responses          INTEGER NOT NULL,
    unpriced_responses INTEGER NOT NULL,
    input_tokens       INTEGER NOT NULL,
    output_tokens      INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cache_read_tokens  INTEGER NOT NULL,
    input_pico         INTEGER NOT NULL,
    output_pico        INTEGER NOT NULL,
    cache_write_pico   INTEGER NOT NULL,
    cache_read_pico    INTEGER NOT NULL,
    total_pico         INTEGER NOT NULL,
    PRIMARY KEY (profile, quarter_ms, model, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_quarters_by_time ON usage_quarters (quarter_ms);

-- How far each log file was read; committed with the records that were read from it.
CREATE TABLE usage_offsets (
    source      TEXT NOT NULL,
    path        TEXT NOT NULL,
    inode       INTEGER NOT NULL,
    offset      INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    profile     TEXT NOT NULL,
    PRIMARY KEY (source, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_imports (
    source TEXT PRIMARY KEY,
    body   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
