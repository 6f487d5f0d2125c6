-- name: join
-- Enrol a student, who exists, in a course that is published; whoever is in it already stays what they are.
INSERT INTO enrolment (student, course)
SELECT student.id, course.id FROM student, course
WHERE student.id = $1 AND course.id = $2 AND course.published
ON CONFLICT DO NOTHING;

-- name: member
-- As what a student is in a course they may see, and since when.
SELECT enrolment.student, coalesce(student.name, '') AS name, enrolment.role, enrolment.at
FROM enrolment JOIN course ON course.id = enrolment.course JOIN student ON student.id = enrolment.student
WHERE enrolment.student = $1 AND enrolment.course = $2 AND (course.published OR enrolment.role <> 'student');

-- name: in_course
-- As what a student is in a course, seen by who teaches it.
SELECT enrolment.student, coalesce(student.name, '') AS name, enrolment.role, enrolment.at
FROM enrolment JOIN student ON student.id = enrolment.student
WHERE enrolment.student = $1 AND enrolment.course = $2;

-- name: lock
-- Let nobody else change who teaches a course.
SELECT 1 FROM course WHERE id = $1 FOR NO KEY UPDATE;

-- name: leave
-- Take somebody out of a course, with what they were.
DELETE FROM enrolment WHERE student = $1 AND course = $2 RETURNING role;

-- name: put
-- Let a student, who exists, into a course in a role, or change it.
INSERT INTO enrolment AS old (student, course, role)
SELECT student.id, $2, $3 FROM student WHERE student.id = $1
ON CONFLICT (student, course) DO UPDATE SET role = EXCLUDED.role
RETURNING role;

-- name: instructors
-- How many teach a course.
SELECT count(*) FROM enrolment WHERE course = $1 AND role = 'instructor';

-- name: people
-- A page of the people of a course, by id.
SELECT enrolment.student, coalesce(student.name, '') AS name, enrolment.role, enrolment.at
FROM enrolment JOIN student ON student.id = enrolment.student
WHERE enrolment.course = $1 AND enrolment.student > $2 AND ($3::text IS NULL OR enrolment.role = $3)
ORDER BY enrolment.student LIMIT $4;
