-- The ledger again, with narrow rows: what repeats (profile, agent, provider, model; session; project; price table) is
-- written once and pointed at, keys are hashes. `blake2b_16(text)` and `blake2b_8(text)` are SQL functions of our own.

-- Whose usage it is and of what, with the sums over all time.
CREATE TABLE usage_series (
    series                INTEGER PRIMARY KEY,
    profile               TEXT NOT NULL,
    agent_id              TEXT NOT NULL,
    provider              TEXT NOT NULL,
    model                 TEXT NOT NULL,
    last_ms               INTEGER,
    responses             INTEGER NOT NULL DEFAULT 0,
    unpriced_responses    INTEGER NOT NULL DEFAULT 0,
    input_tokens          INTEGER NOT NULL DEFAULT 0,
    output_tokens         INTEGER NOT NULL DEFAULT 0,
    cache_write_5m_tokens INTEGER NOT NULL DEFAULT 0,
    cache_write_1h_tokens INTEGER NOT NULL DEFAULT 0,
    cache_read_tokens     INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens      INTEGER NOT NULL DEFAULT 0,
    web_searches          INTEGER NOT NULL DEFAULT 0,
    input_pico            INTEGER NOT NULL DEFAULT 0,
    output_pico           INTEGER NOT NULL DEFAULT 0,
    cache_write_pico      INTEGER NOT NULL DEFAULT 0,
    cache_read_pico       INTEGER NOT NULL DEFAULT 0,
    total_pico            INTEGER NOT NULL DEFAULT 0,
    UNIQUE (profile, agent_id, provider, model)
) STRICT;

-- A session of an agent, with the sums over all time; `parent` is the name of the session it was forked from.
CREATE TABLE usage_sessions (
    session               INTEGER PRIMARY KEY,
    agent_id              TEXT NOT NULL,
    name                  TEXT NOT NULL,
    parent                TEXT,
    first_ms              INTEGER,
    last_ms               INTEGER,
    responses             INTEGER NOT NULL DEFAULT 0,
    unpriced_responses    INTEGER NOT NULL DEFAULT 0,
    input_tokens          INTEGER NOT NULL DEFAULT 0,
    output_tokens         INTEGER NOT NULL DEFAULT 0,
    cache_write_5m_tokens INTEGER NOT NULL DEFAULT 0,
    cache_write_1h_tokens INTEGER NOT NULL DEFAULT 0,
    cache_read_tokens     INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens      INTEGER NOT NULL DEFAULT 0,
    web_searches          INTEGER NOT NULL DEFAULT 0,
    input_pico            INTEGER NOT NULL DEFAULT 0,
    output_pico           INTEGER NOT NULL DEFAULT 0,
    cache_write_pico      INTEGER NOT NULL DEFAULT 0,
    cache_read_pico       INTEGER NOT NULL DEFAULT 0,
    total_pico            INTEGER NOT NULL DEFAULT 0,
    UNIQUE (agent_id, name)
) STRICT;
CREATE INDEX usage_sessions_by_parent ON usage_sessions (agent_id, parent) WHERE parent IS NOT NULL;
CREATE INDEX usage_sessions_by_last_use ON usage_sessions (last_ms) WHERE responses > 0;

-- A working directory; '' where nobody knows it.
CREATE TABLE usage_projects (
    project INTEGER PRIMARY KEY,
    path    TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE usage_price_tables (
    price_table INTEGER PRIMARY KEY,
    label       TEXT NOT NULL UNIQUE
) STRICT;

ALTER TABLE usage_records RENAME TO old_records;
DROP INDEX usage_by_time;
DROP INDEX usage_by_profile;
DROP INDEX usage_by_message;
DROP INDEX usage_unpriced;
DROP TABLE usage_quarters;

-- One row per billed response, kept for ever. Costs are whole picodollars; NULL is an unknown price. `replay`: it repeats
-- another row and counts nothing; it stays, so that what counts never depends on what was read first. `tier` is a place
-- in `usage_rows.TIERS`. Rows are never deleted, so their numbers grow.
CREATE TABLE usage_records (
    record                INTEGER PRIMARY KEY,
    key                   BLOB NOT NULL UNIQUE,
    twin                  INTEGER,
    series                INTEGER NOT NULL,
    session               INTEGER NOT NULL,
    project               INTEGER NOT NULL,
    at_ms                 INTEGER NOT NULL,
    source                TEXT NOT NULL,
    response_id           TEXT,
    tier                  INTEGER NOT NULL DEFAULT 0,
    sidechain             INTEGER NOT NULL DEFAULT 0,
    complete              INTEGER NOT NULL DEFAULT 1,
    replay                INTEGER NOT NULL DEFAULT 0,
    input_tokens          INTEGER NOT NULL,
    output_tokens         INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL DEFAULT 0,
    web_searches          INTEGER NOT NULL DEFAULT 0,
    input_pico            INTEGER,
    output_pico           INTEGER,
    cache_write_pico      INTEGER,
    cache_read_pico       INTEGER,
    total_pico            INTEGER,
    price_table           INTEGER
) STRICT;

INSERT INTO usage_series (profile, agent_id, provider, model)
SELECT DISTINCT profile, agent_id, 'anthropic', model FROM old_records ORDER BY 1, 2, 4;

INSERT INTO usage_sessions (agent_id, name, first_ms, last_ms)
SELECT agent_id, session, min(at_ms), max(at_ms) FROM old_records GROUP BY agent_id, session ORDER BY min(at_ms);

INSERT INTO usage_projects (path) SELECT DISTINCT ifnull(project, '') FROM old_records ORDER BY 1;

INSERT INTO usage_price_tables (label)
SELECT DISTINCT price_table FROM old_records WHERE price_table IS NOT NULL ORDER BY 1;

INSERT INTO usage_records
SELECT
    NULL,
    blake2b_16(CASE
        WHEN substr(key, 1, 15) = 'claude|request|' THEN 'anthropic|' || substr(key, 16)
        WHEN substr(key, 1, 14) = 'claude|counts|' THEN 'anthropic|' || substr(key, 15)
        ELSE key
    END),
    CASE WHEN message_id IS NOT NULL THEN blake2b_8(
        old.agent_id || '|' || message_id || '|' || old.input_tokens
        || '|' || (old.cache_write_5m_tokens + old.cache_write_1h_tokens) || '|' || old.cache_read_tokens
    ) END,
    series,
    usage_sessions.session,
    usage_projects.project,
    at_ms,
    source,
    message_id,
    fast,
    sidechain,
    complete,
    0,
    old.input_tokens,
    old.output_tokens,
    old.cache_write_5m_tokens,
    old.cache_write_1h_tokens,
    old.cache_read_tokens,
    old.reasoning_tokens,
    old.web_searches,
    old.input_pico,
    old.output_pico,
    old.cache_write_pico,
    old.cache_read_pico,
    old.total_pico,
    usage_price_tables.price_table
FROM old_records AS old
JOIN usage_series
    ON usage_series.profile = old.profile AND usage_series.agent_id = old.agent_id
    AND usage_series.model = old.model
JOIN usage_sessions ON usage_sessions.agent_id = old.agent_id AND usage_sessions.name = old.session
JOIN usage_projects ON usage_projects.path = ifnull(old.project, '')
LEFT JOIN usage_price_tables ON usage_price_tables.label = old.price_table
ORDER BY old.at_ms, old.key;
DROP TABLE old_records;

CREATE INDEX usage_by_twin ON usage_records (twin) WHERE twin IS NOT NULL;
CREATE INDEX usage_by_time ON usage_records (at_ms);
CREATE INDEX usage_replays ON usage_records (session) WHERE replay;
CREATE INDEX usage_unpriced ON usage_records (series) WHERE total_pico IS NULL;

-- The ledger added up, written in the same transactions. Every time zone in use is a multiple of 15 minutes off UTC, so
-- any span that a user asks for is whole days of UTC and quarters of an hour at its two ends. The series comes first:
-- most of what is asked for is of one profile, and a series that has not been used since is not looked at.
CREATE TABLE usage_quarters (
    series                INTEGER NOT NULL,
    quarter_ms            INTEGER NOT NULL,
    session               INTEGER NOT NULL,
    project               INTEGER NOT NULL,
    responses             INTEGER NOT NULL,
    unpriced_responses    INTEGER NOT NULL,
    input_tokens          INTEGER NOT NULL,
    output_tokens         INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL,
    web_searches          INTEGER NOT NULL,
    input_pico            INTEGER NOT NULL,
    output_pico           INTEGER NOT NULL,
    cache_write_pico      INTEGER NOT NULL,
    cache_read_pico       INTEGER NOT NULL,
    total_pico            INTEGER NOT NULL,
    PRIMARY KEY (series, quarter_ms, session, project)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_days (
    series                INTEGER NOT NULL,
    day_ms                INTEGER NOT NULL,
    responses             INTEGER NOT NULL,
    unpriced_responses    INTEGER NOT NULL,
    input_tokens          INTEGER NOT NULL,
    output_tokens         INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL,
    web_searches          INTEGER NOT NULL,
    input_pico            INTEGER NOT NULL,
    output_pico           INTEGER NOT NULL,
    cache_write_pico      INTEGER NOT NULL,
    cache_read_pico       INTEGER NOT NULL,
    total_pico            INTEGER NOT NULL,
    PRIMARY KEY (series, day_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_session_days (
    series                INTEGER NOT NULL,
    day_ms                INTEGER NOT NULL,
    session               INTEGER NOT NULL,
    project               INTEGER NOT NULL,
    responses             INTEGER NOT NULL,
    unpriced_responses    INTEGER NOT NULL,
    input_tokens          INTEGER NOT NULL,
    output_tokens         INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL,
    web_searches          INTEGER NOT NULL,
    input_pico            INTEGER NOT NULL,
    output_pico           INTEGER NOT NULL,
    cache_write_pico      INTEGER NOT NULL,
    cache_read_pico       INTEGER NOT NULL,
    total_pico            INTEGER NOT NULL,
    PRIMARY KEY (series, day_ms, session, project)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_session_days_by_session ON usage_session_days (session, day_ms);

-- What was used in each project over all time.
CREATE TABLE usage_series_projects (
    series                INTEGER NOT NULL,
    project               INTEGER NOT NULL,
    responses             INTEGER NOT NULL,
    unpriced_responses    INTEGER NOT NULL,
    input_tokens          INTEGER NOT NULL,
    output_tokens         INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL,
    web_searches          INTEGER NOT NULL,
    input_pico            INTEGER NOT NULL,
    output_pico           INTEGER NOT NULL,
    cache_write_pico      INTEGER NOT NULL,
    cache_read_pico       INTEGER NOT NULL,
    total_pico            INTEGER NOT NULL,
    PRIMARY KEY (series, project)
) STRICT, WITHOUT ROWID;

-- Which sessions a profile took part in, and when last: how many there were since an instant is then counted without
-- looking at them, and how many there ever were is `usage_profiles.sessions`.
CREATE TABLE usage_profile_sessions (
    profile   TEXT NOT NULL,
    session   INTEGER NOT NULL,
    last_ms   INTEGER NOT NULL,
    responses INTEGER NOT NULL,
    PRIMARY KEY (profile, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_profile_sessions_by_last_use ON usage_profile_sessions (profile, last_ms);
CREATE TABLE usage_profiles (
    profile  TEXT PRIMARY KEY,
    sessions INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER usage_session_appeared AFTER INSERT ON usage_profile_sessions BEGIN
    INSERT INTO usage_profiles VALUES (new.profile, 1) ON CONFLICT (profile) DO UPDATE SET sessions = sessions + 1;
END;
CREATE TRIGGER usage_session_vanished AFTER DELETE ON usage_profile_sessions BEGIN
    UPDATE usage_profiles SET sessions = sessions - 1 WHERE profile = old.profile;
END;

INSERT INTO usage_quarters
SELECT
    series, at_ms / 900000 * 900000, session, project, count(*), sum(total_pico IS NULL),
    sum(input_tokens), sum(output_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
    sum(cache_read_tokens), sum(reasoning_tokens), sum(web_searches),
    sum(ifnull(input_pico, 0)), sum(ifnull(output_pico, 0)), sum(ifnull(cache_write_pico, 0)),
    sum(ifnull(cache_read_pico, 0)), sum(ifnull(total_pico, 0))
FROM usage_records GROUP BY 1, 2, 3, 4;

INSERT INTO usage_days
SELECT
    series, quarter_ms / 86400000 * 86400000, sum(responses), sum(unpriced_responses),
    sum(input_tokens), sum(output_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
    sum(cache_read_tokens), sum(reasoning_tokens), sum(web_searches),
    sum(input_pico), sum(output_pico), sum(cache_write_pico), sum(cache_read_pico), sum(total_pico)
FROM usage_quarters GROUP BY 1, 2;

INSERT INTO usage_session_days
SELECT
    series, quarter_ms / 86400000 * 86400000, session, project, sum(responses), sum(unpriced_responses),
    sum(input_tokens), sum(output_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
    sum(cache_read_tokens), sum(reasoning_tokens), sum(web_searches),
    sum(input_pico), sum(output_pico), sum(cache_write_pico), sum(cache_read_pico), sum(total_pico)
FROM usage_quarters GROUP BY 1, 2, 3, 4;

INSERT INTO usage_series_projects
SELECT
    series, project, sum(responses), sum(unpriced_responses),
    sum(input_tokens), sum(output_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
    sum(cache_read_tokens), sum(reasoning_tokens), sum(web_searches),
    sum(input_pico), sum(output_pico), sum(cache_write_pico), sum(cache_read_pico), sum(total_pico)
FROM usage_session_days GROUP BY 1, 2;

UPDATE usage_series SET
    (responses, unpriced_responses, input_tokens, output_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
     cache_read_tokens, reasoning_tokens, web_searches, input_pico, output_pico, cache_write_pico, cache_read_pico,
     total_pico)
    = (SELECT
        sum(responses), sum(unpriced_responses),
        sum(input_tokens), sum(output_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
        sum(cache_read_tokens), sum(reasoning_tokens), sum(web_searches),
        sum(input_pico), sum(output_pico), sum(cache_write_pico), sum(cache_read_pico), sum(total_pico)
    FROM usage_days WHERE usage_days.series = usage_series.series);
UPDATE usage_series SET last_ms = found.last_ms
FROM (SELECT series, max(at_ms) AS last_ms FROM usage_records GROUP BY series) AS found
WHERE found.series = usage_series.series;

UPDATE usage_sessions SET
    (responses, unpriced_responses, input_tokens, output_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
     cache_read_tokens, reasoning_tokens, web_searches, input_pico, output_pico, cache_write_pico, cache_read_pico,
     total_pico)
    = (SELECT
        sum(responses), sum(unpriced_responses),
        sum(input_tokens), sum(output_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
        sum(cache_read_tokens), sum(reasoning_tokens), sum(web_searches),
        sum(input_pico), sum(output_pico), sum(cache_write_pico), sum(cache_read_pico), sum(total_pico)
    FROM usage_session_days WHERE usage_session_days.session = usage_sessions.session);

INSERT INTO usage_profile_sessions
SELECT profile, session, max(at_ms), count(*) FROM usage_records JOIN usage_series USING (series) GROUP BY 1, 2;

-- How far each log file was read, committed with the records that were read from it: what to go on with (`state` is the
-- parser's own), and how to tell that the file is the same.
CREATE TABLE usage_files (
    source       TEXT NOT NULL,
    path         TEXT NOT NULL,
    inode        INTEGER NOT NULL,
    offset       INTEGER NOT NULL,
    fingerprint  BLOB NOT NULL,
    profile      TEXT NOT NULL,
    state        BLOB NOT NULL DEFAULT x'',
    size         INTEGER NOT NULL DEFAULT 0,
    modified_ns  INTEGER NOT NULL DEFAULT 0,
    lines_broken INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source, path)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_files (source, path, inode, offset, fingerprint, profile)
SELECT source, path, inode, offset, fingerprint, profile FROM usage_offsets;
DROP TABLE usage_offsets;
