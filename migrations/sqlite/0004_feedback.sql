-- What a training found out about its model, as JSON; nothing for versions from before there was.
ALTER TABLE models ADD COLUMN quality TEXT;

-- What people say of alerts, every word of it; the newest on an alert counts.
CREATE TABLE feedback (
    id      INTEGER NOT NULL PRIMARY KEY,
    alert   TEXT    NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    verdict TEXT    NOT NULL CHECK (verdict IN ('up', 'down', 'expected', 'new-normal', 'incident')),
    note    TEXT    NOT NULL,
    author  TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    until   INTEGER
) STRICT;
CREATE INDEX feedback_by_alert ON feedback (alert, id);
