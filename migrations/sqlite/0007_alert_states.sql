-- An alert is an episode: it fires, lasts, may get worse, and is resolved. The tables that refer to
-- it are made anew before it, so that nothing cascades.
CREATE TABLE alerts_new (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    batch       TEXT    NOT NULL,
    metric      TEXT    NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('anomaly', 'threshold', 'change', 'absence', 'frozen',
                                                 'zeros', 'rows', 'pipeline')),
    severity    TEXT    NOT NULL CHECK (severity IN ('warning', 'critical')),
    at          INTEGER NOT NULL,
    since       INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    value       REAL,
    expected    REAL,
    lower       REAL,
    upper       REAL,
    score       REAL,
    peak_score  REAL,
    threshold   REAL,
    model       TEXT,
    reason      TEXT    NOT NULL,
    raised_at   INTEGER NOT NULL,
    run         INTEGER NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('firing', 'resolved')),
    resolved_at INTEGER,
    resolution  TEXT CHECK (resolution IN ('recovered', 'late-data', 'closed')),
    acked_at    INTEGER,
    acked_by    TEXT,
    CHECK ((expected IS NULL) = (lower IS NULL) AND (expected IS NULL) = (upper IS NULL)),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    CHECK ((state = 'resolved') = (resolution IS NOT NULL)),
    CHECK ((acked_at IS NULL) = (acked_by IS NULL))
) STRICT;

-- Alerts from before there were episodes are over.
INSERT INTO alerts_new (id, batch, metric, kind, severity, at, since, until, value, expected, lower,
                        upper, score, peak_score, threshold, model, reason, raised_at, run, state,
                        resolved_at, resolution)
SELECT id, batch, metric, kind, severity, at, since, at, value, expected, lower, upper, score, score,
       threshold, model, reason, raised_at, run, 'resolved', raised_at, 'recovered'
FROM alerts;

CREATE TABLE feedback_new (
    id      INTEGER NOT NULL PRIMARY KEY,
    alert   TEXT    NOT NULL REFERENCES alerts_new (id) ON DELETE CASCADE,
    verdict TEXT    NOT NULL CHECK (verdict IN ('up', 'down', 'expected', 'new-normal', 'incident')),
    note    TEXT    NOT NULL,
    author  TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    until   INTEGER
) STRICT;

INSERT INTO feedback_new (id, alert, verdict, note, author, at, until)
SELECT id, alert, verdict, note, author, at, until FROM feedback;

-- One row per thing that is said to people, to however many channels. `text` is what a digest or a
-- notice says; alerts are said from their own rows.
CREATE TABLE messages (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    event      TEXT    NOT NULL CHECK (event IN ('firing', 'escalated', 'reminder', 'resolved',
                                                 'storm', 'digest', 'notice', 'test')),
    batch      TEXT,
    title      TEXT,
    text       TEXT,
    created_at INTEGER NOT NULL
) STRICT;

-- Which alerts a message is about, in the order they are named.
CREATE TABLE message_alerts (
    message  TEXT    NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (0 <= position),
    alert    TEXT    NOT NULL REFERENCES alerts_new (id) ON DELETE CASCADE,
    PRIMARY KEY (message, position)
) STRICT, WITHOUT ROWID;

INSERT INTO messages (id, event, batch, created_at)
SELECT a.id, 'firing', a.batch, a.raised_at FROM alerts AS a
WHERE EXISTS (SELECT 1 FROM outbox AS o WHERE o.alert = a.id);

INSERT INTO message_alerts (message, position, alert)
SELECT id, 0, id FROM messages;

-- One row per message and channel: what is still to be told, and how that went. `merged` was said
-- by the message `merged_into`; `unknown` may have arrived and is not sent again.
CREATE TABLE outbox_new (
    message     TEXT    NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    channel     TEXT    NOT NULL CHECK (channel <> ''),
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'dead', 'merged',
                                                  'unknown')),
    attempts    INTEGER NOT NULL DEFAULT 0 CHECK (0 <= attempts),
    may_be_there INTEGER NOT NULL DEFAULT 0 CHECK (may_be_there IN (0, 1)),
    next_at     INTEGER NOT NULL,
    lease_until INTEGER,
    epoch       INTEGER NOT NULL DEFAULT 0,
    idem_key    TEXT    NOT NULL UNIQUE,
    last_status INTEGER,
    last_error  TEXT,
    first_at    INTEGER NOT NULL,
    ended_at    INTEGER,
    merged_into TEXT REFERENCES messages (id),
    PRIMARY KEY (message, channel),
    CHECK ((state = 'sending') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('sent', 'dead', 'merged', 'unknown')) = (ended_at IS NOT NULL)),
    CHECK ((state = 'merged') = (merged_into IS NOT NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO outbox_new (message, channel, state, attempts, next_at, lease_until, epoch, idem_key,
                        last_status, last_error, first_at, ended_at)
SELECT alert, channel, state, attempts, next_at, lease_until, epoch, idem_key, last_status, last_error,
       first_at, ended_at
FROM outbox;

DROP TABLE outbox;
DROP TABLE feedback;
DROP TABLE alerts;
ALTER TABLE alerts_new RENAME TO alerts;
ALTER TABLE feedback_new RENAME TO feedback;
ALTER TABLE outbox_new RENAME TO outbox;

CREATE INDEX alerts_by_time ON alerts (at, id);
CREATE INDEX alerts_by_metric ON alerts (batch, metric, kind, at);
CREATE INDEX alerts_firing ON alerts (batch, kind) WHERE state = 'firing';
CREATE INDEX feedback_by_alert ON feedback (alert, id);
CREATE INDEX message_alerts_by_alert ON message_alerts (alert);
CREATE INDEX outbox_by_due ON outbox (channel, next_at) WHERE state IN ('pending', 'sending');

-- One row per channel that is not used as it is: asked to be left alone until then, or closed by
-- the other side.
CREATE TABLE channel_states (
    channel     TEXT NOT NULL PRIMARY KEY CHECK (channel <> ''),
    not_before  INTEGER,
    disabled_at INTEGER,
    reason      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per silence somebody asked for. Without a metric it is the whole batch.
CREATE TABLE snoozes (
    id     INTEGER NOT NULL PRIMARY KEY,
    batch  TEXT    NOT NULL CHECK (batch <> ''),
    metric TEXT,
    since  INTEGER NOT NULL,
    until  INTEGER NOT NULL,
    author TEXT    NOT NULL,
    CHECK (since < until)
) STRICT;

CREATE INDEX snoozes_by_batch ON snoozes (batch, until);

-- One row: the key that signs the links in messages.
CREATE TABLE link_key (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB NOT NULL CHECK (length(key) = 32)
) STRICT;

-- One row per signed link that was followed; it works once.
CREATE TABLE used_links (
    nonce   TEXT    NOT NULL PRIMARY KEY,
    used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
