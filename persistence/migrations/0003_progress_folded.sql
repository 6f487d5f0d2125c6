-- How many events a progress row holds: grows with each, so that of two statements for one student the
-- older never replaces the newer, whichever is committed last.

ALTER TABLE progress ADD COLUMN folded bigint NOT NULL DEFAULT 0;
