-- name: rights
-- Which of these versions of items belong to courses the student is in, and which course that is.
SELECT wanted.item, wanted.version, item.course
FROM unnest($2::text[], $3::text[]) AS wanted (item, version)
    JOIN item ON item.id = wanted.item
    JOIN item_version ON item_version.item = wanted.item AND item_version.version = wanted.version
    JOIN enrolment ON enrolment.course = item.course AND enrolment.student = $1;

-- name: record
-- Keep what players told, and add it to the sums of its hours: both or neither.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
        $7::text[], $8::text[], $9::text[], $10::int[], $11::int[], $12::int[], $13::text[], $14::smallint[],
        $15::bool[], $16::bool[]) AS one (at, course, item, version, student, play, kind, quality,
        from_quality, duration_ms, count, total, code, status, fatal, auto)
), kept AS (
    INSERT INTO experience (at, course, item, version, student, play, kind, quality, from_quality,
        duration_ms, count, total, code, status, fatal, auto)
    SELECT * FROM given
)
INSERT INTO experience_hour AS old (hour, course, item, version, quality, starts, starts_300, starts_1000,
    starts_3000, start_ms, watched_ms, stalls, stall_ms, switches, errors, fatal_errors, frames_dropped,
    frames_shown)
SELECT date_trunc('hour', at, 'UTC') AS hour, min(course), item, version, quality,
    count(*) FILTER (WHERE kind = 'start'),
    count(*) FILTER (WHERE kind = 'start' AND duration_ms <= 300),
    count(*) FILTER (WHERE kind = 'start' AND duration_ms <= 1000),
    count(*) FILTER (WHERE kind = 'start' AND duration_ms <= 3000),
    coalesce(sum(duration_ms) FILTER (WHERE kind = 'start'), 0),
    coalesce(sum(duration_ms) FILTER (WHERE kind = 'watched'), 0),
    count(*) FILTER (WHERE kind = 'stall'),
    coalesce(sum(duration_ms) FILTER (WHERE kind = 'stall'), 0),
    count(*) FILTER (WHERE kind = 'switch'),
    -- A player tells the same error once, with how often it came.
    coalesce(sum(greatest(given.count, 1)) FILTER (WHERE kind = 'error'), 0),
    count(*) FILTER (WHERE kind = 'error' AND fatal),
    coalesce(sum(given.count) FILTER (WHERE kind = 'frames'), 0),
    coalesce(sum(given.total) FILTER (WHERE kind = 'frames'), 0)
FROM given
GROUP BY hour, item, version, quality
-- In one order for everybody, or two gateways wait for each other.
ORDER BY item, hour, version, quality
ON CONFLICT (item, hour, version, quality) DO UPDATE SET
    starts = old.starts + EXCLUDED.starts,
    starts_300 = old.starts_300 + EXCLUDED.starts_300,
    starts_1000 = old.starts_1000 + EXCLUDED.starts_1000,
    starts_3000 = old.starts_3000 + EXCLUDED.starts_3000,
    start_ms = old.start_ms + EXCLUDED.start_ms,
    watched_ms = old.watched_ms + EXCLUDED.watched_ms,
    stalls = old.stalls + EXCLUDED.stalls,
    stall_ms = old.stall_ms + EXCLUDED.stall_ms,
    switches = old.switches + EXCLUDED.switches,
    errors = old.errors + EXCLUDED.errors,
    fatal_errors = old.fatal_errors + EXCLUDED.fatal_errors,
    frames_dropped = old.frames_dropped + EXCLUDED.frames_dropped,
    frames_shown = old.frames_shown + EXCLUDED.frames_shown;

-- name: of_course
-- How playing went in a course since then: by item, then by quality; what was watched most comes first.
SELECT hours.item, coalesce(item.title, '') AS title, hours.quality,
    sum(starts)::bigint AS starts, sum(starts_300)::bigint AS starts_300,
    sum(starts_1000)::bigint AS starts_1000, sum(starts_3000)::bigint AS starts_3000,
    sum(start_ms)::bigint AS start_ms, sum(watched_ms)::bigint AS watched_ms, sum(stalls)::bigint AS stalls,
    sum(stall_ms)::bigint AS stall_ms, sum(switches)::bigint AS switches, sum(errors)::bigint AS errors,
    sum(fatal_errors)::bigint AS fatal_errors, sum(frames_dropped)::bigint AS frames_dropped,
    sum(frames_shown)::bigint AS frames_shown
FROM experience_hour AS hours LEFT JOIN item ON item.id = hours.item
WHERE hours.course = $1 AND hours.hour >= $2
GROUP BY hours.item, item.title, hours.quality
ORDER BY sum(sum(watched_ms)) OVER (PARTITION BY hours.item) DESC, hours.item, sum(watched_ms) DESC,
    hours.quality
LIMIT $3;
