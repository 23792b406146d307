-- One row per batch that is paused: nothing of it runs by itself until the row is gone.
CREATE TABLE pauses (
    batch TEXT    NOT NULL PRIMARY KEY CHECK (batch <> ''),
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
