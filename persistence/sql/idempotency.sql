-- name: claim
-- Note that a student's write by this key is being done; nothing if there is such a key already.
INSERT INTO idempotency (student, key, asked) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: keep
-- Keep the answer that was given.
UPDATE idempotency SET etag = $3, headers = $4, body = $5 WHERE student = $1 AND key = $2;

-- name: find
-- What was asked by this key, and what the answer was.
SELECT asked, etag, headers, body FROM idempotency WHERE student = $1 AND key = $2;

-- name: forget
-- Forget keys that nobody will send again, some at a time.
DELETE FROM idempotency WHERE (student, key) IN (
    SELECT student, key FROM idempotency WHERE created_at < now() - make_interval(secs => $1)
    ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED);
