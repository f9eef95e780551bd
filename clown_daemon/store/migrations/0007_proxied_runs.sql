-- When agents ran behind their proxies. Kept for ever: their logs may be read again at any time.
CREATE TABLE proxied_runs (
    run_id     TEXT PRIMARY KEY,
    profile    TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX proxied_runs_by_profile ON proxied_runs (profile, started_ms);
