-- The set of jobs grows by `change`. The tables that refer to runs are made anew before it, so that
-- nothing cascades.
CREATE TABLE runs_new (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    batch       TEXT    NOT NULL CHECK (batch <> ''),
    job         TEXT    NOT NULL CHECK (job IN ('ingest', 'train', 'score', 'alert', 'change')),
    slot        INTEGER NOT NULL,
    cause       TEXT    NOT NULL CHECK (cause IN ('schedule', 'manual', 'after', 'first')),
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'running', 'retry_wait', 'succeeded',
                                                  'dead', 'skipped', 'cancelled')),
    due         INTEGER NOT NULL,
    attempt     INTEGER NOT NULL DEFAULT 0 CHECK (0 <= attempt),
    crash_count INTEGER NOT NULL DEFAULT 0 CHECK (0 <= crash_count),
    epoch       INTEGER NOT NULL DEFAULT 0 CHECK (0 <= epoch),
    stage       TEXT,
    worker      TEXT,
    lease_until INTEGER,
    config_hash TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    started_at  INTEGER,
    ended_at    INTEGER,
    report      TEXT,
    error       TEXT,
    UNIQUE (batch, job, slot),
    CHECK ((state = 'running') = (lease_until IS NOT NULL))
) STRICT;

INSERT INTO runs_new (id, batch, job, slot, cause, state, due, attempt, crash_count, epoch, stage,
                      worker, lease_until, config_hash, created_at, changed_at, started_at, ended_at,
                      report, error)
SELECT id, batch, job, slot, cause, state, due, attempt, crash_count, epoch, stage, worker,
       lease_until, config_hash, created_at, changed_at, started_at, ended_at, report, error
FROM runs;

-- A number that was given to a run is never given again.
DELETE FROM sqlite_sequence WHERE name = 'runs_new';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'runs_new', seq FROM sqlite_sequence WHERE name = 'runs';

CREATE TABLE run_events_new (
    id      INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL REFERENCES runs_new (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    state   TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    epoch   INTEGER NOT NULL
) STRICT;

INSERT INTO run_events_new (id, run, at, state, attempt, epoch)
SELECT id, run, at, state, attempt, epoch FROM run_events;

CREATE TABLE run_log_new (
    id      INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL REFERENCES runs_new (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    level   TEXT    NOT NULL CHECK (level IN ('info', 'warn', 'error')),
    message TEXT    NOT NULL
) STRICT;

INSERT INTO run_log_new (id, run, at, level, message)
SELECT id, run, at, level, message FROM run_log;

DROP TABLE run_log;
DROP TABLE run_events;
DROP TABLE runs;
ALTER TABLE runs_new RENAME TO runs;
ALTER TABLE run_events_new RENAME TO run_events;
ALTER TABLE run_log_new RENAME TO run_log;

CREATE INDEX runs_by_due ON runs (due, id) WHERE state IN ('pending', 'retry_wait');

CREATE UNIQUE INDEX runs_running_alone ON runs (batch) WHERE state = 'running';

CREATE TRIGGER runs_begin_pending_or_skipped BEFORE INSERT ON runs
WHEN NEW.state NOT IN ('pending', 'skipped')
BEGIN
    SELECT RAISE(ABORT, 'a run begins pending or skipped');
END;

CREATE TRIGGER runs_keep_to_the_edges BEFORE UPDATE OF state ON runs
WHEN (OLD.state || ' ' || NEW.state) NOT IN (
    'pending running', 'pending skipped', 'pending cancelled',
    'running succeeded', 'running retry_wait', 'running dead', 'running cancelled',
    'retry_wait running', 'retry_wait dead', 'retry_wait cancelled',
    'succeeded pending', 'dead pending', 'skipped pending', 'cancelled pending'
)
BEGIN
    SELECT RAISE(ABORT, 'no such edge between run states');
END;

CREATE INDEX run_events_by_run ON run_events (run, id);

CREATE TRIGGER runs_note_the_beginning AFTER INSERT ON runs
BEGIN
    INSERT INTO run_events (run, at, state, attempt, epoch)
    VALUES (NEW.id, NEW.changed_at, NEW.state, NEW.attempt, NEW.epoch);
END;

CREATE TRIGGER runs_note_each_change AFTER UPDATE OF state ON runs
BEGIN
    INSERT INTO run_events (run, at, state, attempt, epoch)
    VALUES (NEW.id, NEW.changed_at, NEW.state, NEW.attempt, NEW.epoch);
END;

CREATE INDEX run_log_by_run ON run_log (run, id);

-- One row per metric with limits: how far its points were held against them.
CREATE TABLE limit_states (
    batch    TEXT    NOT NULL,
    metric   TEXT    NOT NULL,
    judged   INTEGER NOT NULL,
    n_beyond INTEGER NOT NULL CHECK (0 <= n_beyond),
    n_within INTEGER NOT NULL CHECK (0 <= n_within),
    n_since  INTEGER CHECK (0 <= n_since),
    PRIMARY KEY (batch, metric)
) STRICT, WITHOUT ROWID;
