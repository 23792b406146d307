-- What a digest says, for channels that say it in a form of their own. Digests from before have their text alone.
ALTER TABLE messages ADD COLUMN digest TEXT;
