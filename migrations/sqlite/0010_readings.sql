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

-- What is over, and what was said, is let go of after a while, in small parts.
CREATE INDEX alerts_ended ON alerts (batch, resolved_at) WHERE state = 'resolved';
CREATE INDEX messages_by_time ON messages (created_at);

-- What waits for each channel is counted every second, from this alone.
CREATE INDEX outbox_waiting ON outbox (channel, first_at, state) WHERE state IN ('pending', 'sending');
