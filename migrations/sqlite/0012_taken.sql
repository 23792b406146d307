-- The alerts of a message that its channel took one by one before it asked to wait or failed; a list in JSON.
ALTER TABLE outbox ADD COLUMN taken TEXT;
