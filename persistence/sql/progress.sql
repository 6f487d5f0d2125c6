-- name: of_course
-- Where a student stands in every item of a course they have begun.
SELECT item, version, rev, position_ms, done, furthest_ms, content_ms, updated_at,
    (SELECT coalesce(sum(upper(span) - lower(span)), 0)
     FROM unnest(coverage) AS span)::int AS coverage_ms
FROM progress WHERE student = $1 AND course = $2;

-- name: of_item
-- Where a student stands in one item.
SELECT item, version, rev, position_ms, done, furthest_ms, content_ms, updated_at,
    (SELECT coalesce(sum(upper(span) - lower(span)), 0)
     FROM unnest(coverage) AS span)::int AS coverage_ms
FROM progress WHERE student = $1 AND item = $2;

-- name: then
-- Where a student stood in one item at a moment, as the latest checkpoint by then has it.
SELECT rev, position_ms FROM checkpoint_history WHERE student = $1 AND item = $2 AND at <= $3
ORDER BY at DESC LIMIT 1;
