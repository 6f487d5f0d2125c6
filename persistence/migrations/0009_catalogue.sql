-- Courses that are edited and published: drafts, immutable versions, facets; items that no version shows yet or
-- any more; what of an item no student may see; keys of writes that were answered.

-- What lists and facets show stands beside the document, so that no list has to unpack it.
ALTER TABLE course
    ADD COLUMN description text GENERATED ALWAYS AS (content ->> 'description') STORED,
    ADD COLUMN instructor  text GENERATED ALWAYS AS (content ->> 'instructor') STORED,
    ADD COLUMN poster      text GENERATED ALWAYS AS (content ->> 'poster') STORED,
    ADD COLUMN category    text GENERATED ALWAYS AS (coalesce(content ->> 'category', '')) STORED,
    ADD COLUMN difficulty  text GENERATED ALWAYS AS (coalesce(content ->> 'difficulty', '')) STORED,
    ADD COLUMN language    text GENERATED ALWAYS AS (coalesce(content ->> 'language', '')) STORED,
    -- Of the items that are published now; kept by triggers below.
    ADD COLUMN duration_ms bigint NOT NULL DEFAULT 0,
    ADD COLUMN items_total integer NOT NULL DEFAULT 0,
    -- The version that is published, 0 for never.
    ADD COLUMN number      integer NOT NULL DEFAULT 0;
-- Shards look for what has changed lately.
CREATE INDEX course_updated ON course (updated_at);

-- NULL: never published, so neither students nor shards see it. A retired one was left out by a publish: no new
-- play, what was seen is kept. Kinds nobody knows yet are kept.
ALTER TABLE item
    ALTER COLUMN version DROP NOT NULL,
    ADD COLUMN retired boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT item_kind_check,
    ADD CONSTRAINT item_kind_check CHECK (kind ~ '^[a-z][a-z0-9_-]{0,31}$');

-- Answers and whatever else of a version's content students must not see.
CREATE TABLE item_secret (
    item     text COLLATE "C" NOT NULL,
    version  text NOT NULL,
    content  jsonb NOT NULL,
    PRIMARY KEY (item, version),
    FOREIGN KEY (item, version) REFERENCES item_version ON DELETE CASCADE
);

-- What instructors edit. `rev` grows with every change; `published_rev` is the one that was published last.
-- `salt` keys the names of versions made of content: from such a name nobody can guess an answer.
CREATE TABLE course_draft (
    course         text COLLATE "C" PRIMARY KEY REFERENCES course ON DELETE CASCADE,
    content        jsonb NOT NULL,
    title          text GENERATED ALWAYS AS (content ->> 'title') STORED,
    rev            bigint NOT NULL DEFAULT 1,
    published_rev  bigint NOT NULL DEFAULT 0,
    salt           uuid NOT NULL DEFAULT gen_random_uuid(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    updated_by     text COLLATE "C" NOT NULL DEFAULT ''
);

-- What was published, each time. `secret` has, by item, the part of its content that students do not see.
CREATE TABLE course_version (
    course        text COLLATE "C" NOT NULL REFERENCES course ON DELETE CASCADE,
    number        integer NOT NULL CHECK (number > 0),
    content       jsonb NOT NULL,
    secret        jsonb NOT NULL DEFAULT '{}',
    published_at  timestamptz NOT NULL DEFAULT now(),
    published_by  text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (course, number)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a published version never changes: publish another one';
END $$;
CREATE TRIGGER immutable BEFORE UPDATE ON course_version FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The answer to a write, by the key its sender chose, for a day: sent again, it happens once (H16).
CREATE TABLE idempotency (
    student     text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    asked       bytea NOT NULL,
    etag        text,
    headers     jsonb,
    body        bytea,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (student, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE INDEX enrolment_course ON enrolment (course, student);

-- Documents name their items with all that is known of them, no longer by id alone. What no section names is in
-- a last one without a title; what names no item is left out.
UPDATE course SET content = content || jsonb_build_object('sections', (
    SELECT coalesce(jsonb_agg(section ORDER BY place), '[]') FROM (
        SELECT place, jsonb_build_object(
            'title', coalesce(section ->> 'title', ''),
            'items', (
                SELECT coalesce(jsonb_agg(jsonb_build_object('id', item.id, 'kind', item.kind,
                    'title', item.title, 'version', item.version, 'content', '{}'::jsonb)
                    ORDER BY named.place), '[]')
                FROM jsonb_array_elements_text(section -> 'items') WITH ORDINALITY AS named (id, place)
                    JOIN item ON item.id = named.id AND item.course = course.id)) AS section
        FROM jsonb_array_elements(coalesce(course.content -> 'sections', '[]'))
            WITH ORDINALITY AS listed (section, place)
        UNION ALL
        SELECT 1000000, jsonb_build_object('title', '', 'items', jsonb_agg(jsonb_build_object('id', item.id,
            'kind', item.kind, 'title', item.title, 'version', item.version, 'content', '{}'::jsonb)
            ORDER BY item.place, item.id))
        FROM item
        WHERE item.course = course.id AND NOT EXISTS (
            SELECT FROM jsonb_array_elements(coalesce(course.content -> 'sections', '[]')) AS listed (section),
                jsonb_array_elements_text(section -> 'items') AS named (id)
            WHERE named.id = item.id)
        HAVING count(*) > 0
    ) AS sections));

UPDATE course SET number = 1 WHERE published;
INSERT INTO course_version (course, number, content, published_at)
    SELECT id, 1, content, updated_at FROM course WHERE published;
INSERT INTO course_draft (course, content, rev, published_rev, updated_at)
    SELECT id, content, 1, published::int, updated_at FROM course;

-- How much of a course is published, counted again by whatever changes it: once a statement, so that many rows
-- at once are no more work. It writes the course's row, whose xmin and updated_at are the version of the whole
-- (0002); so these take the place of the triggers by row.
DROP TRIGGER touch_course ON item;
DROP TRIGGER touch_course ON item_version;
DROP FUNCTION touch_course_of_item();
DROP FUNCTION touch_course_of_version();
DROP FUNCTION touch_course(text);

CREATE FUNCTION count_items(changed text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- In one order, or two who write many would wait for each other.
    PERFORM 1 FROM course WHERE id = ANY(changed) ORDER BY id FOR NO KEY UPDATE;
    UPDATE course SET items_total = found.items_total, duration_ms = found.duration_ms
    FROM (
        SELECT one.id, count(item_version.item) AS items_total,
            coalesce(sum(item_version.duration_ms), 0) AS duration_ms
        FROM unnest(changed) AS one (id)
            LEFT JOIN item ON item.course = one.id AND NOT item.retired
            LEFT JOIN item_version ON item_version.item = item.id AND item_version.version = item.version
        GROUP BY one.id
    ) AS found
    WHERE course.id = found.id;
END $$;

CREATE FUNCTION count_items_by_item() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_items((SELECT array_agg(DISTINCT course) FROM changed));
    RETURN NULL;
END $$;

CREATE FUNCTION count_items_by_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM count_items((SELECT array_agg(DISTINCT item.course) FROM changed JOIN item ON item.id = changed.item));
    RETURN NULL;
END $$;

CREATE TRIGGER count_items_added AFTER INSERT ON item
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_items_by_item();
CREATE TRIGGER count_items_removed AFTER DELETE ON item
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_items_by_item();
CREATE TRIGGER count_items_left AFTER UPDATE ON item
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_items_by_item();
CREATE TRIGGER count_items_joined AFTER UPDATE ON item
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_items_by_item();
CREATE TRIGGER count_versions_added AFTER INSERT ON item_version
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_items_by_version();
CREATE TRIGGER count_versions_changed AFTER UPDATE ON item_version
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_items_by_version();
CREATE TRIGGER count_versions_removed AFTER DELETE ON item_version
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_items_by_version();

SELECT count_items((SELECT array_agg(id) FROM course));
