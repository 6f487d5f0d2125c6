-- name: put
-- Add students, or change their profiles.
INSERT INTO student AS old (id, profile)
SELECT new.id, new.profile FROM unnest($1::text[], $2::jsonb[]) AS new (id, profile) ORDER BY new.id
ON CONFLICT (id) DO UPDATE SET profile = old.profile || EXCLUDED.profile
WHERE NOT old.profile @> EXCLUDED.profile;

-- name: find
-- One student: how to greet them, what they pay for, whether they may make courses.
SELECT id, coalesce(name, '') AS name, coalesce(profile ->> 'subscription', 'free') AS subscription,
    coalesce(profile -> 'may_teach' = 'true', false) AS may_teach
FROM student WHERE id = $1;

-- name: enrol
-- Let students into courses, or change their role there.
INSERT INTO enrolment AS old (student, course, role)
SELECT new.student, new.course, new.role
FROM unnest($1::text[], $2::text[], $3::text[]) AS new (student, course, role)
ORDER BY new.student, new.course
ON CONFLICT (student, course) DO UPDATE SET role = EXCLUDED.role WHERE old.role <> EXCLUDED.role;
