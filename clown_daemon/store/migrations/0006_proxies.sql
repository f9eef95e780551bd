-- The proxies of profiles: their settings, and the process that serves now. A port belongs to its profile for ever.
CREATE TABLE proxies (
    profile         TEXT PRIMARY KEY,
    enabled         INTEGER NOT NULL DEFAULT 0,
    port            INTEGER UNIQUE,
    settings        BLOB NOT NULL,
    status          TEXT NOT NULL DEFAULT 'stopped',
    pid             INTEGER,
    process_start   REAL,
    spawned_pid     INTEGER,
    spawned_start   REAL,
    restarts        INTEGER NOT NULL DEFAULT 0,
    started_ms      INTEGER,
    last_error      TEXT,
    requests        INTEGER NOT NULL DEFAULT 0,
    errors          INTEGER NOT NULL DEFAULT 0,
    last_request_ms INTEGER,
    last_status     INTEGER
) STRICT, WITHOUT ROWID;

-- What went through each, by minute; only the last ones are kept.
CREATE TABLE proxy_minutes (
    profile   TEXT NOT NULL,
    minute_ms INTEGER NOT NULL,
    requests  INTEGER NOT NULL,
    errors    INTEGER NOT NULL,
    answered  INTEGER NOT NULL,
    first_ms  REAL NOT NULL,
    PRIMARY KEY (profile, minute_ms)
) STRICT, WITHOUT ROWID;

-- Requests that ended and were not told of yet: `ProxyMetered` tells of many at once.
CREATE TABLE proxy_traffic (
    profile  TEXT NOT NULL,
    at_ms    INTEGER NOT NULL,
    status   INTEGER,
    first_ms REAL
) STRICT;

-- How far each spool file was read; committed with the records that were read from it.
CREATE TABLE proxy_spools (
    profile TEXT NOT NULL,
    file    TEXT NOT NULL,
    offset  INTEGER NOT NULL,
    PRIMARY KEY (profile, file)
) STRICT, WITHOUT ROWID;
