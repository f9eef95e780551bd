-- Limits on what is spent: by profile, by agent or (both NULL) in all. One of the two limits is set. `thresholds` are per
-- cent of it. `crossed` are those that were reached in the local day or month that `crossed_in` names; both change in
-- the transaction that adds the usage, so that each is told once, whatever dies in between.
CREATE TABLE budgets (
    id           TEXT PRIMARY KEY,
    profile      TEXT,
    agent_id     TEXT,
    period       TEXT NOT NULL CHECK (period IN ('day', 'month')),
    limit_pico   INTEGER CHECK (limit_pico > 0),
    limit_tokens INTEGER CHECK (limit_tokens > 0),
    thresholds   TEXT NOT NULL CHECK (thresholds NOT GLOB '*[^0-9 ]*'),
    crossed      TEXT NOT NULL DEFAULT '' CHECK (crossed NOT GLOB '*[^0-9 ]*'),
    crossed_in   TEXT NOT NULL DEFAULT '',
    CHECK ((limit_pico IS NULL) <> (limit_tokens IS NULL))
) STRICT, WITHOUT ROWID;
