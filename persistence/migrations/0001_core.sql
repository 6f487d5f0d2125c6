-- The live core at rest: fencing, progress, watermarks, checkpoint history; and the catalogue it refers to.

CREATE TABLE slot_lease (
    slot   smallint PRIMARY KEY CHECK (slot BETWEEN 0 AND 255),
    epoch  bigint NOT NULL DEFAULT 0,
    owner  text   NOT NULL DEFAULT ''
);
INSERT INTO slot_lease (slot) SELECT generate_series(0, 255);

CREATE TABLE student (
    id          text COLLATE "C" PRIMARY KEY,
    profile     jsonb NOT NULL DEFAULT '{}',
    name        text GENERATED ALWAYS AS (profile ->> 'name') STORED,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE course (
    id            text COLLATE "C" PRIMARY KEY,
    content       jsonb NOT NULL,
    title         text GENERATED ALWAYS AS (content ->> 'title') STORED,
    published     boolean NOT NULL DEFAULT false,
    search        tsvector GENERATED ALWAYS AS (
                      setweight(to_tsvector('english', coalesce(content ->> 'title', '')), 'A') ||
                      setweight(to_tsvector('english', coalesce(content ->> 'description', '')), 'C')) STORED,
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX course_search ON course USING gin (search);

CREATE TABLE item (
    id        text COLLATE "C" PRIMARY KEY,
    course    text COLLATE "C" NOT NULL REFERENCES course ON DELETE CASCADE,
    kind      text NOT NULL CHECK (kind IN ('video', 'pdf', 'quiz', 'assignment', 'text')),
    place     integer NOT NULL,
    title     text NOT NULL,
    version   text NOT NULL
);
CREATE INDEX item_course ON item (course, place);

-- An item in a version: its length in content ms, where its media lie, and the edits since the one before.
CREATE TABLE item_version (
    item         text COLLATE "C" NOT NULL REFERENCES item ON DELETE CASCADE,
    version      text NOT NULL,
    duration_ms  integer NOT NULL CHECK (duration_ms >= 0),
    media        jsonb NOT NULL DEFAULT '{}',
    edits        jsonb NOT NULL DEFAULT '[]',
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (item, version)
);

CREATE TABLE enrolment (
    student  text COLLATE "C" NOT NULL REFERENCES student ON DELETE CASCADE,
    course   text COLLATE "C" NOT NULL REFERENCES course ON DELETE CASCADE,
    role     text NOT NULL DEFAULT 'student' CHECK (role IN ('student', 'assistant', 'instructor')),
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (student, course)
);

-- One row per student and item. `epoch` counts resets of the item (R7), not the fencing epoch of the slot.
-- `merge` is what the rules need to go on after a re-activation: the runs that still compete, see actors/core.
CREATE TABLE progress (
    student       text COLLATE "C" NOT NULL,
    item          text COLLATE "C" NOT NULL,
    course        text COLLATE "C" NOT NULL,
    version       text NOT NULL,
    rev           bigint NOT NULL,
    epoch         integer NOT NULL,
    pass          integer NOT NULL,
    position_ms   integer NOT NULL,
    device        text NOT NULL,
    action_at     timestamptz,
    rule          text NOT NULL,
    done          boolean NOT NULL,
    completions   timestamptz[] NOT NULL,
    coverage      int4multirange NOT NULL,
    furthest_ms   integer NOT NULL,
    content_ms    bigint NOT NULL,
    wall          int8multirange NOT NULL,
    merge         jsonb NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (student, item)
) PARTITION BY HASH (student);

CREATE TABLE device_watermark (
    student      text COLLATE "C" NOT NULL,
    device       text COLLATE "C" NOT NULL,
    durable_seq  bigint NOT NULL,
    visit        jsonb NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (student, device)
) PARTITION BY HASH (student);

DO $$
BEGIN
    FOR n IN 0..15 LOOP
        EXECUTE format('CREATE TABLE progress_%s PARTITION OF progress FOR VALUES WITH (MODULUS 16, REMAINDER %s) WITH (fillfactor = 70)', n, n);
        EXECUTE format('CREATE TABLE device_watermark_%s PARTITION OF device_watermark FOR VALUES WITH (MODULUS 16, REMAINDER %s) WITH (fillfactor = 70)', n, n);
    END LOOP;
END $$;

-- Every checkpoint of every student and item, for the raw 90 days (design 6). One partition a month.
CREATE TABLE checkpoint_history (
    at           timestamptz NOT NULL,
    slot         smallint NOT NULL,
    slot_epoch   bigint NOT NULL,
    student      text COLLATE "C" NOT NULL,
    item         text COLLATE "C" NOT NULL,
    rev          bigint NOT NULL,
    position_ms  integer NOT NULL,
    content_ms   bigint NOT NULL,
    device       text NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX checkpoint_history_student ON checkpoint_history (student, item, at);

-- Makes the monthly partition that holds `moment`; safe to call again and from several at once.
CREATE FUNCTION ensure_month(parent regclass, moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ensure_month', 0));
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %s FOR VALUES FROM (%L) TO (%L)',
        parent::text || to_char(first, '_YYYY_MM'), parent,
        first::text || ' 00:00:00+00', (first + interval '1 month')::date::text || ' 00:00:00+00');
END $$;
