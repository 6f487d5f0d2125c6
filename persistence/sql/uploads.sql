-- name: may
-- Whether somebody is an instructor of a course, and which kind an item of it has.
SELECT EXISTS (SELECT FROM enrolment WHERE student = $1 AND course = $2 AND role = 'instructor') AS instructor,
    (SELECT kind FROM item WHERE id = $3 AND course = $2) AS kind;

-- name: lock_course
-- Have the open uploads of a course counted by one at a time, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('uploads:' || $1, 0));

-- name: begin
-- Add an upload unless the request was heard before or too many of the course are open.
INSERT INTO upload (id, course, item, purpose, file_name, content_type, length_bytes, part_bytes, key, edits,
    language, label, created_by, request_key, request_sha256)
SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::text, $10::jsonb,
    $11::text, $12::text, $13::text, $14::text, $15::text
WHERE (SELECT count(*) FROM upload WHERE course = $2::text AND state IN ('uploading', 'processing')) < $16::int
ON CONFLICT DO NOTHING
RETURNING *;

-- name: of_request
-- The upload that a request of somebody began.
SELECT * FROM upload WHERE created_by = $1 AND request_key = $2;

-- name: read
-- An upload as an instructor of its course sees it.
SELECT upload.* FROM upload JOIN enrolment ON enrolment.course = upload.course
WHERE upload.id = $1 AND enrolment.student = $2 AND enrolment.role = 'instructor';

-- name: of_course
-- The latest uploads of a course as an instructor of it sees them.
SELECT upload.* FROM upload JOIN enrolment ON enrolment.course = upload.course
WHERE upload.course = $1 AND enrolment.student = $2 AND enrolment.role = 'instructor'
ORDER BY upload.created_at DESC, upload.id LIMIT $3;

-- name: set_multipart
-- Note the store's name for an upload in parts, in place of the one it had.
UPDATE upload SET multipart_id = $2
WHERE id = $1 AND state = 'uploading' AND multipart_id IS NOT DISTINCT FROM $3::text RETURNING *;

-- name: arrived
-- The file is in the store: it waits for a worker from now on.
UPDATE upload SET state = 'processing', fraction = 0, submitted_at = now(), changed_at = now()
WHERE id = $1 AND state = 'uploading' RETURNING *;

-- name: end
-- End an upload that is not ended yet, with the state and the reason.
UPDATE upload SET state = $2, reason = $3, lease_until = NULL, changed_at = now()
WHERE id = $1 AND state IN ('uploading', 'processing') RETURNING *;

-- name: claim
-- Take an upload to work on it, unless somebody has it, it ended, or too many have tried who did not give it back.
UPDATE upload SET attempts = attempts + 1, lease_until = now() + make_interval(secs => $2::float8)
WHERE id = $1 AND state = 'processing' AND attempts - released < $3
    AND (lease_until IS NULL OR lease_until < now())
RETURNING *;

-- name: hold
-- Keep an upload for longer and say how far it is; nothing where it was ended or taken by another.
UPDATE upload SET fraction = greatest(fraction, $3::real), lease_until = now() + make_interval(secs => $4::float8)
WHERE id = $1 AND attempts = $2 AND state = 'processing' RETURNING id;

-- name: finish
-- What a holder made of the upload is there.
UPDATE upload SET state = 'ready', fraction = 1, version = $3, made_key = $4, lease_until = NULL, changed_at = now()
WHERE id = $1 AND attempts = $2 AND state = 'processing' RETURNING id;

-- name: fail
-- A holder found that nothing can be made of the upload.
UPDATE upload SET state = 'failed', reason = $3, lease_until = NULL, changed_at = now()
WHERE id = $1 AND attempts = $2 AND state = 'processing' RETURNING id;

-- name: release
-- Let go of an upload that could not be worked on now, so that it is tried again after a while; `released` takes the
-- attempt back where $3 is 1.
UPDATE upload SET lease_until = NULL, released = released + $3::int, submitted_at = now()
WHERE id = $1 AND attempts = $2 AND state = 'processing' RETURNING id;

-- name: lock_item
-- Have one version of an item made at a time, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('upload:' || $1, 0));

-- name: base
-- The version an item has in the draft of its course, else the published one, with its media.
SELECT base.version, item_version.duration_ms, item_version.media
FROM item
    LEFT JOIN course_draft ON course_draft.course = item.course
    CROSS JOIN LATERAL (SELECT coalesce(
        jsonb_path_query_first(course_draft.content, '$.sections[*].items[*] ? (@.id == $id)',
            jsonb_build_object('id', item.id)) ->> 'version',
        item.version) AS version) AS base
    JOIN item_version ON item_version.item = item.id AND item_version.version = base.version
WHERE item.id = $1;

-- name: give_up
-- End what worker after worker died of.
UPDATE upload SET state = 'failed', reason = $2, lease_until = NULL, changed_at = now()
WHERE state = 'processing' AND attempts - released >= $1 AND (lease_until IS NULL OR lease_until < now()) RETURNING id;

-- name: waiting
-- Take what waits for a worker and was not given to one lately.
UPDATE upload SET submitted_at = now()
WHERE id IN (
    SELECT id FROM upload
    WHERE state = 'processing' AND (lease_until IS NULL OR lease_until < now())
        AND submitted_at < now() - make_interval(secs => $1::float8)
    ORDER BY submitted_at LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING id;

-- name: abandon
-- End uploads that nobody completed.
UPDATE upload SET state = 'aborted', reason = $2, changed_at = now()
WHERE state = 'uploading' AND created_at < now() - make_interval(secs => $1::float8) RETURNING id;

-- name: unswept
-- Ended uploads whose file may still be in the store, once no address to send it is good any more.
SELECT id, key, multipart_id FROM upload
WHERE state IN ('ready', 'failed', 'aborted') AND NOT swept
    AND changed_at < now() - make_interval(secs => $1::float8)
ORDER BY changed_at LIMIT $2;

-- name: swept
-- The file of these is gone from the store.
UPDATE upload SET swept = true WHERE id = ANY ($1::uuid[]);
