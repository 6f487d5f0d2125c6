-- What the rules need besides typed columns, packed (msgpack): half the size of jsonb, and nothing to parse when it
-- is written, which is most of the time. Rows from before keep `merge` and `visit` until they are next written.

ALTER TABLE progress ADD COLUMN state bytea, ALTER COLUMN merge DROP NOT NULL;
ALTER TABLE device_watermark ADD COLUMN state bytea, ALTER COLUMN visit DROP NOT NULL;
