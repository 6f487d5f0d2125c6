-- name: take
-- A shard takes slots over: every older epoch of them is fenced from the moment this commits.
UPDATE slot_lease AS lease SET epoch = lease.epoch + 1, owner = $2
FROM (SELECT slot FROM slot_lease WHERE slot = ANY($1::smallint[]) ORDER BY slot FOR UPDATE) AS locked
WHERE lease.slot = locked.slot
RETURNING lease.slot, lease.epoch;

-- name: release
-- A shard gives slots away that it has under these epochs: from now on nobody owns them, and it writes nothing.
UPDATE slot_lease AS lease SET epoch = lease.epoch + 1, owner = ''
FROM (SELECT slot FROM slot_lease WHERE slot = ANY($1::smallint[]) ORDER BY slot FOR UPDATE) AS locked,
    unnest($1::smallint[], $2::bigint[]) AS held (slot, epoch)
WHERE lease.slot = locked.slot AND lease.slot = held.slot AND lease.epoch = held.epoch AND lease.owner = $3
RETURNING lease.slot, lease.epoch;

-- name: accept
-- A shard takes slots that were released under these epochs, unless somebody else was faster.
UPDATE slot_lease AS lease SET epoch = lease.epoch + 1, owner = $3
FROM (SELECT slot FROM slot_lease WHERE slot = ANY($1::smallint[]) ORDER BY slot FOR UPDATE) AS locked,
    unnest($1::smallint[], $2::bigint[]) AS released (slot, epoch)
WHERE lease.slot = locked.slot AND lease.slot = released.slot AND lease.epoch = released.epoch
    AND lease.owner = ''
RETURNING lease.slot, lease.epoch;

-- name: owned
-- The slots a shard owned when it was last alive, to take them again after a restart.
SELECT slot FROM slot_lease WHERE owner = $1 ORDER BY slot;

-- name: owners
-- Who owns each slot and at which epoch.
SELECT slot, owner, epoch FROM slot_lease ORDER BY slot;
