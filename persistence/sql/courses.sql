-- name: put
-- Add a course, or replace its document and whether students see it.
INSERT INTO course AS old (id, content, published) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET content = EXCLUDED.content, published = EXCLUDED.published
WHERE (old.content, old.published) IS DISTINCT FROM (EXCLUDED.content, EXCLUDED.published);

-- name: of_student
-- A page of the courses a student is in, by id, with how much of each is done.
SELECT course.id, coalesce(course.title, '') AS title, coalesce(course.description, '') AS description,
    coalesce(course.instructor, '') AS instructor, course.category, course.difficulty, course.language,
    coalesce(course.poster, '') AS poster, course.duration_ms, course.items_total,
    (SELECT count(*) FROM progress JOIN item ON item.id = progress.item
     WHERE progress.student = $1 AND item.course = course.id AND progress.done AND NOT item.retired)
        AS items_done
FROM enrolment JOIN course ON course.id = enrolment.course
WHERE enrolment.student = $1 AND enrolment.course > $2
    AND (course.published OR enrolment.role <> 'student')
ORDER BY enrolment.course
LIMIT $3;

-- name: access
-- As what a student may read a course ($2), or that of an item ($3); with the versions of course and progress.
SELECT course.id AS course, enrolment.role,
    course.xmin::text || '@' || extract(epoch FROM course.updated_at) AS version,
    (SELECT coalesce(md5(string_agg(concat_ws('@', item, progress.xmin, extract(epoch FROM updated_at)), ','
        ORDER BY item)), 'none')
     FROM progress WHERE progress.student = $1 AND progress.course = course.id) AS progress_version
FROM enrolment JOIN course ON course.id = enrolment.course
WHERE enrolment.student = $1
    AND enrolment.course = coalesce($2,
        (SELECT item.course FROM item WHERE item.id = $3 AND item.version IS NOT NULL))
    AND (course.published OR enrolment.role <> 'student');

-- name: content
-- The document of a course, and how much of it is published.
SELECT content, duration_ms, items_total FROM course WHERE id = $1;

-- name: items
-- The items of a course in their order, each in its current version.
SELECT item.id, item.kind, item.title, item.version, item_version.duration_ms
FROM item JOIN item_version ON item_version.item = item.id AND item_version.version = item.version
WHERE item.course = $1 AND NOT item.retired
ORDER BY item.place, item.id;
