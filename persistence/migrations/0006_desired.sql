-- How many shards and socket gateways there are to be: what `playhead scale` asked for last, so that a
-- directory that was killed goes on where it was.

CREATE TABLE desired (
    kind   text PRIMARY KEY CHECK (kind IN ('shards', 'gateways')),
    count  integer NOT NULL CHECK (count >= 1)
);
