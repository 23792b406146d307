-- The catalog: what the program knows about its own work. Instants are whole microseconds since
-- 1970-01-01T00:00:00Z. Sets of words are the `as_str` of the enum that owns them.

-- One row per run: one job of one batch for one slot.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    batch       TEXT    NOT NULL CHECK (batch <> ''),
    job         TEXT    NOT NULL CHECK (job IN ('ingest', 'train', 'score', 'alert')),
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

-- One row per change of a run's state: the history of `runs.state`, kept by triggers.
CREATE TABLE run_events (
    id      INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    state   TEXT    NOT NULL,
    attempt INTEGER NOT NULL,
    epoch   INTEGER NOT NULL
) STRICT;

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

-- One row: the newest epoch given to a claim. Epochs only rise, so a later claim always wins.
CREATE TABLE epochs (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL
) STRICT;

INSERT INTO epochs (id, last) VALUES (1, 0);

-- One row per line a run logged.
CREATE TABLE run_log (
    id      INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    level   TEXT    NOT NULL CHECK (level IN ('info', 'warn', 'error')),
    message TEXT    NOT NULL
) STRICT;

CREATE INDEX run_log_by_run ON run_log (run, id);

-- One row per live Parquet object of a batch's history. A larger id's rows win; a compacted segment
-- takes the largest id of those it replaces.
CREATE TABLE segments (
    id     INTEGER PRIMARY KEY,
    batch  TEXT    NOT NULL,
    kind   TEXT    NOT NULL CHECK (kind IN ('points', 'scores')),
    key    TEXT    NOT NULL UNIQUE,
    min_at INTEGER NOT NULL,
    max_at INTEGER NOT NULL,
    n_rows INTEGER NOT NULL CHECK (0 < n_rows),
    size   INTEGER NOT NULL CHECK (0 < size),
    sha256 TEXT    NOT NULL CHECK (length(sha256) = 64),
    run    INTEGER NOT NULL,
    CHECK (min_at <= max_at)
) STRICT;

CREATE INDEX segments_by_batch ON segments (batch, kind, max_at);

-- One row: the newest id given to a segment. Kept apart because ids must never be given twice.
CREATE TABLE segment_ids (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL
) STRICT;

INSERT INTO segment_ids (id, last) VALUES (1, 0);

-- One row per history object that nothing refers to any more and that a sweep may delete.
CREATE TABLE doomed_segments (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    batch     TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    key       TEXT    NOT NULL UNIQUE,
    min_at    INTEGER NOT NULL,
    max_at    INTEGER NOT NULL,
    n_rows    INTEGER NOT NULL,
    size      INTEGER NOT NULL,
    sha256    TEXT    NOT NULL,
    doomed_at INTEGER NOT NULL
) STRICT;

-- One row per model version that was verified by reading it back.
CREATE TABLE models (
    batch        TEXT    NOT NULL,
    metric       TEXT    NOT NULL,
    version      TEXT    NOT NULL CHECK (length(version) = 19),
    model_key    TEXT    NOT NULL,
    metadata_key TEXT    NOT NULL,
    sha256       TEXT    NOT NULL CHECK (length(sha256) = 64),
    size         INTEGER NOT NULL CHECK (0 < size),
    trained_at   INTEGER NOT NULL,
    rows         INTEGER NOT NULL,
    detectors    TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('verified', 'quarantined')),
    reason       TEXT,
    run          INTEGER NOT NULL,
    PRIMARY KEY (batch, metric, version),
    CHECK ((state = 'quarantined') = (reason IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- One row per metric that has a model: which version scores, and which did before.
CREATE TABLE model_pointers (
    batch    TEXT NOT NULL,
    metric   TEXT NOT NULL,
    version  TEXT NOT NULL,
    previous TEXT,
    PRIMARY KEY (batch, metric),
    FOREIGN KEY (batch, metric, version) REFERENCES models (batch, metric, version),
    FOREIGN KEY (batch, metric, previous) REFERENCES models (batch, metric, version)
) STRICT, WITHOUT ROWID;

-- One row per metric ever seen.
CREATE TABLE metrics (
    batch         TEXT    NOT NULL,
    metric        TEXT    NOT NULL CHECK (metric <> ''),
    first_seen    INTEGER NOT NULL,
    newest_at     INTEGER NOT NULL,
    newest_value  REAL    NOT NULL,
    n_points      INTEGER NOT NULL,
    last_score    REAL,
    last_score_at INTEGER,
    skip_reason   TEXT,
    PRIMARY KEY (batch, metric)
) STRICT, WITHOUT ROWID;

-- One row per alert ever raised. The id is made from what the alert is about, so raising it again
-- changes nothing.
CREATE TABLE alerts (
    id        TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    batch     TEXT    NOT NULL,
    metric    TEXT    NOT NULL,
    kind      TEXT    NOT NULL CHECK (kind IN ('anomaly', 'absence')),
    severity  TEXT    NOT NULL CHECK (severity IN ('warning', 'critical')),
    at        INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    value     REAL,
    expected  REAL,
    lower     REAL,
    upper     REAL,
    score     REAL,
    threshold REAL,
    model     TEXT,
    reason    TEXT    NOT NULL,
    raised_at INTEGER NOT NULL,
    run       INTEGER NOT NULL,
    CHECK ((expected IS NULL) = (lower IS NULL) AND (expected IS NULL) = (upper IS NULL))
) STRICT;

CREATE INDEX alerts_by_time ON alerts (at, id);

CREATE INDEX alerts_by_metric ON alerts (batch, metric, kind, at);

-- One row per alert and channel: what is still to be told, and how that went.
CREATE TABLE outbox (
    alert       TEXT    NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    channel     TEXT    NOT NULL CHECK (channel <> ''),
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'dead')),
    attempts    INTEGER NOT NULL DEFAULT 0 CHECK (0 <= attempts),
    next_at     INTEGER NOT NULL,
    lease_until INTEGER,
    epoch       INTEGER NOT NULL DEFAULT 0,
    idem_key    TEXT    NOT NULL UNIQUE,
    last_status INTEGER,
    last_error  TEXT,
    first_at    INTEGER NOT NULL,
    ended_at    INTEGER,
    PRIMARY KEY (alert, channel),
    CHECK ((state = 'sending') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('sent', 'dead')) = (ended_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_by_due ON outbox (next_at) WHERE state IN ('pending', 'sending');

-- One row per instant a job of a batch goes on from, by name. It never moves back.
CREATE TABLE watermarks (
    batch TEXT    NOT NULL,
    name  TEXT    NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (batch, name)
) STRICT, WITHOUT ROWID;

-- One row per configuration of a batch that a run was made with; its text lies in the store.
CREATE TABLE configs (
    hash     TEXT    NOT NULL,
    batch    TEXT    NOT NULL,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (batch, hash)
) STRICT, WITHOUT ROWID;
