-- name: make_course
-- Add a course that nobody sees yet; nothing if the id is taken.
INSERT INTO course (id, content) VALUES ($1, jsonb_build_object('title', $2::text)) ON CONFLICT DO NOTHING;

-- name: make
-- Begin a draft from what is published, where there is none yet.
INSERT INTO course_draft (course, content, published_rev, updated_by)
SELECT id, content, published::int, $2 FROM course WHERE id = $1
ON CONFLICT DO NOTHING;

-- name: read
-- A draft, and what is published.
SELECT course_draft.course, course_draft.content, course_draft.rev, course.number,
    course_draft.rev <> course_draft.published_rev AS changed, course_draft.updated_at, course_draft.updated_by
FROM course_draft JOIN course ON course.id = course_draft.course WHERE course_draft.course = $1;

-- name: lock
-- A draft that is about to change: whoever else wants to change it waits, and finds another revision then.
SELECT content, rev, salt FROM course_draft WHERE course = $1 FOR NO KEY UPDATE;

-- name: write
-- Replace a draft; gives its new revision.
UPDATE course_draft SET content = $2, rev = rev + 1, updated_at = clock_timestamp(), updated_by = $3
WHERE course = $1 RETURNING rev;

-- name: published
-- Note that the draft, as it stands, is what was published last.
UPDATE course_draft SET published_rev = rev WHERE course = $1;

-- name: publish
-- Let students see a document, under the next number.
UPDATE course SET content = $2, published = true, number = number + 1 WHERE id = $1 RETURNING number;

-- name: keep
-- Keep what was published, for ever as it is.
INSERT INTO course_version (course, number, content, secret, published_by) VALUES ($1, $2, $3, $4, $5);

-- name: versions
-- What was published of a course before a number, latest first.
SELECT number, content ->> 'title' AS title, published_at, published_by
FROM course_version WHERE course = $1 AND ($2::int IS NULL OR number < $2)
ORDER BY number DESC LIMIT $3;

-- name: version
-- One version that was published, the latest if no number is given.
SELECT number, content, secret, published_at, published_by
FROM course_version WHERE course = $1 AND ($2::int IS NULL OR number = $2)
ORDER BY number DESC LIMIT 1;

-- name: taught
-- A page of the courses somebody teaches or helps with, by id.
SELECT course.id, coalesce(course_draft.title, course.title, '') AS title, enrolment.role, course.number,
    course.items_total, course.published, coalesce(course_draft.rev, 0) AS rev,
    coalesce(course_draft.rev <> course_draft.published_rev, false) AS changed,
    coalesce(course_draft.updated_at, course.updated_at) AS updated_at
FROM enrolment JOIN course ON course.id = enrolment.course
    LEFT JOIN course_draft ON course_draft.course = course.id
WHERE enrolment.student = $1 AND enrolment.course > $2 AND enrolment.role <> 'student'
ORDER BY enrolment.course LIMIT $3;
