-- name: progress
-- Everything the shard needs to go on with the students that are being activated.
SELECT student, item, course, version, rev, epoch, pass, position_ms, device, action_at, rule, done,
    completions, coverage, content_ms, wall, state, merge, folded
FROM progress WHERE student = ANY($1::text[]);

-- name: devices
-- The journals' watermarks and open visits of the students that are being activated.
SELECT student, device, durable_seq, state, visit FROM device_watermark WHERE student = ANY($1::text[]);

-- name: enrolments
-- The courses of the students that are being activated.
SELECT student, course FROM enrolment WHERE student = ANY($1::text[]);

-- name: items
-- What the rules need of items that are being played: whose, how long each version lasts and how it was made.
SELECT item.id, item.course, item.version, course.published,
    jsonb_object_agg(item_version.version, item_version.duration_ms) AS durations_ms,
    coalesce(jsonb_object_agg(item_version.version, jsonb_build_object(
        'from', item_version.from_version, 'edits', item_version.edits))
        FILTER (WHERE item_version.from_version IS NOT NULL), '{}') AS edits,
    coalesce((SELECT array_agg(other.id ORDER BY other.place, other.id)
     FROM item AS other
     WHERE other.course = item.course AND other.version IS NOT NULL AND NOT other.retired), '{}') AS syllabus
FROM item JOIN course ON course.id = item.course JOIN item_version ON item_version.item = item.id
WHERE item.id = ANY($1::text[]) AND item.version IS NOT NULL
GROUP BY item.id, course.id;

-- name: changed
-- The courses that were written lately (s), latest first, and when.
SELECT id, updated_at FROM course WHERE updated_at > clock_timestamp() - make_interval(secs => $1)
ORDER BY updated_at DESC LIMIT $2;
