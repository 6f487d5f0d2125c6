-- Files on their way in: sent by a browser into the object store, checked, made ready by a task of the cluster.
-- Whoever works on one holds it until `lease_until`; `attempts` is the number of its holder, so that one that lost
-- it can write no more. What is made of a file becomes an item_version named in `version`, or the object `made_key`.
-- `swept`: the file as it was sent is no longer in the store.

CREATE TABLE upload (
    id              uuid PRIMARY KEY,
    course          text COLLATE "C" NOT NULL REFERENCES course ON DELETE CASCADE,
    item            text COLLATE "C" REFERENCES item ON DELETE CASCADE,
    purpose         text NOT NULL CHECK (purpose IN ('video', 'pdf', 'captions', 'poster', 'submission')),
    file_name       text NOT NULL,
    content_type    text NOT NULL,
    length_bytes    bigint NOT NULL CHECK (length_bytes > 0),
    part_bytes      bigint NOT NULL CHECK (part_bytes > 0),
    key             text COLLATE "C" NOT NULL UNIQUE,
    multipart_id    text,
    state           text NOT NULL DEFAULT 'uploading'
                    CHECK (state IN ('uploading', 'processing', 'ready', 'failed', 'aborted')),
    fraction        real NOT NULL DEFAULT 0 CHECK (fraction BETWEEN 0 AND 1),
    reason          text NOT NULL DEFAULT '',
    version         text,
    made_key        text COLLATE "C",
    edits           jsonb NOT NULL DEFAULT '[]',
    language        text NOT NULL DEFAULT '',
    label           text NOT NULL DEFAULT '',
    lease_until     timestamptz,
    submitted_at    timestamptz,
    attempts        integer NOT NULL DEFAULT 0,
    swept           boolean NOT NULL DEFAULT false,
    created_by      text COLLATE "C" NOT NULL REFERENCES student ON DELETE CASCADE,
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now(),
    request_key     text COLLATE "C" NOT NULL,
    request_sha256  text NOT NULL,
    UNIQUE (created_by, request_key)
);
CREATE INDEX upload_course ON upload (course, created_at DESC, id);
CREATE INDEX upload_open ON upload (state, submitted_at) WHERE state IN ('uploading', 'processing');
CREATE INDEX upload_unswept ON upload (changed_at) WHERE state IN ('ready', 'failed', 'aborted') AND NOT swept;
