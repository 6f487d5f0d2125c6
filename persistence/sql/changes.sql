-- name: of_item
-- A student's head changes in one item, newest first, a page at a time; those of one revision stay together.
SELECT at, student, item, rev, what, rule, device, position_ms, former_ms, done, epoch, pass, version, why
FROM head_change
WHERE student = $1 AND item = $2 AND ($3::bigint IS NULL OR rev < $3) AND ($5::timestamptz IS NULL OR at <= $5)
ORDER BY rev DESC FETCH FIRST $4 ROWS WITH TIES;
