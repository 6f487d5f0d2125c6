-- name: take
-- A shard takes slots over: every older epoch of them is fenced from the moment this commits.
UPDATE slot_lease AS lease SET epoch = lease.epoch + 1, owner = $2
FROM (SELECT slot FROM slot_lease WHERE slot = ANY($1::smallint[]) ORDER BY slot FOR UPDATE) AS locked
WHERE lease.slot = locked.slot
RETURNING lease.slot, lease.epoch;

-- name: owned
-- The slots a shard owned when it was last alive, to take them again after a restart.
SELECT slot FROM slot_lease WHERE owner = $1 ORDER BY slot;

-- name: owners
-- Who owns each slot and at which epoch.
SELECT slot, owner, epoch FROM slot_lease ORDER BY slot;
