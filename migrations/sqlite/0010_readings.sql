-- One row per alert that a language model is or was asked about. A message about it is not sent
-- before `until`, or before there is an answer.
CREATE TABLE readings (
    alert     TEXT    NOT NULL PRIMARY KEY REFERENCES alerts (id) ON DELETE CASCADE,
    state     TEXT    NOT NULL CHECK (state IN ('wanted', 'asked', 'given', 'missing')),
    wanted_at INTEGER NOT NULL,
    until     INTEGER NOT NULL,
    model     TEXT,
    text      TEXT,
    error     TEXT,
    CHECK ((state = 'given') = (text IS NOT NULL)),
    CHECK ((state = 'given') = (model IS NOT NULL)),
    CHECK ((state = 'missing') = (error IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX readings_by_time ON readings (wanted_at);
CREATE INDEX readings_open ON readings (until) WHERE state IN ('wanted', 'asked');
