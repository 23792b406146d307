-- One row per batch whose source noted something of its last good read: a JSON object of texts.
-- `source` is a hash of the settings it was read with; with other settings nothing is remembered.
CREATE TABLE source_memory (
    batch TEXT NOT NULL PRIMARY KEY CHECK (batch <> ''),
    source TEXT NOT NULL,
    notes TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per numbered object with what an ingest received. One without a row was written by a run
-- that did not end well, and a sweep may delete it.
CREATE TABLE raw_parts (
    key TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
