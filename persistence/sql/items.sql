-- name: put
-- Add items, or change where they stand and which version is current.
INSERT INTO item AS old (id, course, kind, place, title, version)
SELECT new.id, new.course, new.kind, new.place, new.title, new.version
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[])
    AS new (id, course, kind, place, title, version)
ORDER BY new.id
ON CONFLICT (id) DO UPDATE SET course = EXCLUDED.course, kind = EXCLUDED.kind, place = EXCLUDED.place,
    title = EXCLUDED.title, version = EXCLUDED.version
WHERE (old.course, old.kind, old.place, old.title, old.version) IS DISTINCT FROM
    (EXCLUDED.course, EXCLUDED.kind, EXCLUDED.place, EXCLUDED.title, EXCLUDED.version);

-- name: put_versions
-- Add versions of items: how long each is, where its media lie, from which version and how it was made.
INSERT INTO item_version AS old (item, version, duration_ms, media, from_version, edits)
SELECT new.item, new.version, new.duration_ms, new.media, new.from_version, new.edits::jsonb
FROM unnest($1::text[], $2::text[], $3::int[], $4::jsonb[], $5::text[], $6::text[])
    AS new (item, version, duration_ms, media, from_version, edits)
ORDER BY new.item, new.version
ON CONFLICT (item, version) DO UPDATE SET duration_ms = EXCLUDED.duration_ms, media = EXCLUDED.media,
    from_version = EXCLUDED.from_version, edits = EXCLUDED.edits
WHERE (old.duration_ms, old.media, old.from_version, old.edits) IS DISTINCT FROM
    (EXCLUDED.duration_ms, EXCLUDED.media, EXCLUDED.from_version, EXCLUDED.edits);

-- name: open
-- An item a student may read, in its current version.
SELECT item.id, item.course, item.kind, item.title, item.version, item_version.duration_ms,
    item_version.media
FROM item
    JOIN item_version ON item_version.item = item.id AND item_version.version = item.version
    JOIN course ON course.id = item.course
    JOIN enrolment ON enrolment.course = item.course
WHERE item.id = $2 AND enrolment.student = $1 AND (course.published OR enrolment.role <> 'student');

-- name: version
-- One version of an item, current or not.
SELECT duration_ms, media FROM item_version WHERE item = $1 AND version = $2;
