-- How often a holder of an upload gave it back because a store was away or a disk full. That says nothing against the
-- file, so only the other attempts count against it; `attempts` goes on counting all, since it is the holder's number.
ALTER TABLE upload ADD COLUMN released integer NOT NULL DEFAULT 0;
