-- The rows that a merged row stands for are looked up each time one is made.
CREATE INDEX outbox_by_merged ON outbox (merged_into) WHERE merged_into IS NOT NULL;
