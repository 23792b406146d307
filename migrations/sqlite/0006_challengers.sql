-- A third kind of segment: the scores of challengers, which alert nobody.
CREATE TABLE segments_new (
    id     INTEGER PRIMARY KEY,
    batch  TEXT    NOT NULL,
    kind   TEXT    NOT NULL CHECK (kind IN ('points', 'scores', 'challengers')),
    key    TEXT    NOT NULL UNIQUE,
    min_at INTEGER NOT NULL,
    max_at INTEGER NOT NULL,
    n_rows INTEGER NOT NULL CHECK (0 < n_rows),
    size   INTEGER NOT NULL CHECK (0 < size),
    sha256 TEXT    NOT NULL CHECK (length(sha256) = 64),
    run    INTEGER NOT NULL,
    CHECK (min_at <= max_at)
) STRICT;

INSERT INTO segments_new (id, batch, kind, key, min_at, max_at, n_rows, size, sha256, run)
SELECT id, batch, kind, key, min_at, max_at, n_rows, size, sha256, run FROM segments;

DROP TABLE segments;
ALTER TABLE segments_new RENAME TO segments;
CREATE INDEX segments_by_batch ON segments (batch, kind, max_at);
