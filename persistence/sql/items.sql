-- name: put
-- Add items, or change where they stand and which version is current.
INSERT INTO item AS old (id, course, kind, place, title, version)
SELECT new.id, new.course, new.kind, new.place, new.title, new.version
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[])
    AS new (id, course, kind, place, title, version)
ORDER BY new.id
ON CONFLICT (id) DO UPDATE SET course = EXCLUDED.course, kind = EXCLUDED.kind, place = EXCLUDED.place,
    title = EXCLUDED.title, version = EXCLUDED.version, retired = false
WHERE (old.course, old.kind, old.place, old.title, old.version, old.retired) IS DISTINCT FROM
    (EXCLUDED.course, EXCLUDED.kind, EXCLUDED.place, EXCLUDED.title, EXCLUDED.version, false);

-- name: draft
-- Make room for items of a course's draft: students do not see them before a version is published.
INSERT INTO item AS old (id, course, kind, place, title)
SELECT new.id, $1, new.kind, new.place, new.title
FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS new (id, kind, title, place)
ORDER BY new.id
ON CONFLICT (id) DO UPDATE SET kind = EXCLUDED.kind, title = EXCLUDED.title
WHERE old.course = EXCLUDED.course AND old.version IS NULL
    AND (old.kind, old.title) IS DISTINCT FROM (EXCLUDED.kind, EXCLUDED.title);

-- name: elsewhere
-- Those of these ids that are another course's, and those that students know as another kind.
SELECT item.id, item.course <> $1 AS taken
FROM item JOIN unnest($2::text[], $3::text[]) AS new (id, kind) ON new.id = item.id
WHERE item.course <> $1 OR (item.version IS NOT NULL AND item.kind <> new.kind)
ORDER BY item.id LIMIT 1;

-- name: ready
-- Those of these versions that exist, how long they are, and what kind of media they are.
SELECT item, version, duration_ms, media ->> 'kind' AS media_kind FROM item_version
WHERE (item, version) IN (SELECT * FROM unnest($1::text[], $2::text[]));

-- name: retire
-- What a publish leaves out: no new play, what was seen is kept.
UPDATE item SET retired = true
WHERE course = $1 AND version IS NOT NULL AND NOT retired AND id <> ALL($2::text[]);

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

-- name: make_versions
-- Add versions that are made of content and named by it: one that is there already is the same.
INSERT INTO item_version (item, version, duration_ms, media)
SELECT new.item, new.version, new.duration_ms, new.media
FROM unnest($1::text[], $2::text[], $3::int[], $4::jsonb[]) AS new (item, version, duration_ms, media)
ORDER BY new.item, new.version
ON CONFLICT DO NOTHING;

-- name: keep_secrets
-- What students must not see of versions whose names are made of their content: never another one.
INSERT INTO item_secret (item, version, content)
SELECT new.item, new.version, new.content
FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS new (item, version, content)
ON CONFLICT DO NOTHING;

-- name: secret
-- What students must not see of one version.
SELECT content FROM item_secret WHERE item = $1 AND version = $2;

-- name: open
-- An item a student may read, in its current version.
SELECT item.id, item.course, item.kind, item.title, item.version, item_version.duration_ms,
    item_version.media
FROM item
    JOIN item_version ON item_version.item = item.id AND item_version.version = item.version
    JOIN course ON course.id = item.course
    JOIN enrolment ON enrolment.course = item.course
WHERE item.id = $2 AND enrolment.student = $1 AND NOT item.retired
    AND (course.published OR enrolment.role <> 'student');

-- name: version
-- One version of an item, current or not.
SELECT duration_ms, media FROM item_version WHERE item = $1 AND version = $2;
