-- name: put
-- Remember how many there are to be of each kind.
INSERT INTO desired (kind, count) SELECT * FROM unnest($1::text[], $2::int[])
ON CONFLICT (kind) DO UPDATE SET count = EXCLUDED.count;

-- name: get
-- How many there are to be of each kind.
SELECT kind, count FROM desired;
