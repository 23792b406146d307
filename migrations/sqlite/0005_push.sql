-- One row per object of rows that were pushed. The order of arrival is that of the ids. Its rows wait
-- until an ingest has made points of them; from `drained_at` on the object may go.
CREATE TABLE inbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    batch       TEXT    NOT NULL CHECK (batch <> ''),
    key         TEXT    NOT NULL UNIQUE,
    n_rows      INTEGER NOT NULL CHECK (0 < n_rows),
    size        INTEGER NOT NULL CHECK (0 < size),
    sha256      TEXT    NOT NULL CHECK (length(sha256) = 64),
    received_at INTEGER NOT NULL,
    drained_at  INTEGER
) STRICT;

CREATE INDEX inbox_waiting ON inbox (batch, id) WHERE drained_at IS NULL;

-- One row per pushed body that came with a key: what was answered, for when it comes again.
CREATE TABLE push_answers (
    batch       TEXT    NOT NULL,
    key         TEXT    NOT NULL CHECK (key <> ''),
    body_sha256 TEXT    NOT NULL CHECK (length(body_sha256) = 64),
    answer      TEXT    NOT NULL,
    answered_at INTEGER NOT NULL,
    PRIMARY KEY (batch, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX push_answers_by_age ON push_answers (answered_at);
