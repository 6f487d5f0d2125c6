-- The catalogue as it is browsed and searched: a row for every published course, kept by a trigger on `course`, so
-- that who publishes need not know of it. What is found depends on nothing else; `listing_state` is its version.

ALTER TABLE course DROP COLUMN search;

CREATE TABLE listing (
    course       text COLLATE "C" PRIMARY KEY REFERENCES course ON DELETE CASCADE,
    title        text NOT NULL,
    title_key    text COLLATE "C" NOT NULL,
    instructor   text NOT NULL,
    poster       text NOT NULL,
    category     text COLLATE "C" NOT NULL,
    difficulty   text COLLATE "C" NOT NULL,
    language     text COLLATE "C" NOT NULL,
    duration     text COLLATE "C" NOT NULL,
    duration_ms  bigint NOT NULL,
    items_total  integer NOT NULL,
    config       text NOT NULL,
    title_words  tsvector NOT NULL,
    description  text NOT NULL,
    words        tsvector NOT NULL
);

CREATE INDEX listing_title_words ON listing USING gin (title_words);
CREATE INDEX listing_words ON listing USING gin (words);
CREATE INDEX listing_title ON listing (title_key, course);
CREATE INDEX listing_category ON listing (category, title_key, course);
CREATE INDEX listing_difficulty ON listing (difficulty, title_key, course);
CREATE INDEX listing_language ON listing (language, title_key, course);
CREATE INDEX listing_duration ON listing (duration, title_key, course);
CREATE INDEX listing_facets ON listing (category, difficulty, language, duration);

-- One row: its xmin and updated_at are the version of the whole listing, `configs` the languages in it, `trigrams`
-- whether misspelt titles can be found.
CREATE TABLE listing_state (
    single      boolean PRIMARY KEY DEFAULT true CHECK (single),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    configs     text[] NOT NULL DEFAULT '{}',
    trigrams    boolean NOT NULL DEFAULT false
);
INSERT INTO listing_state DEFAULT VALUES;

-- The text search configuration of a language (BCP 47): English where none is said, `simple` where Postgres has none.
CREATE FUNCTION search_config(language text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT cfgname::text FROM pg_ts_config WHERE cfgnamespace = 'pg_catalog'::regnamespace
        AND cfgname = CASE split_part(lower(language), '-', 1)
            WHEN '' THEN 'english' WHEN 'ar' THEN 'arabic' WHEN 'ca' THEN 'catalan' WHEN 'da' THEN 'danish'
            WHEN 'de' THEN 'german' WHEN 'el' THEN 'greek' WHEN 'en' THEN 'english' WHEN 'es' THEN 'spanish'
            WHEN 'et' THEN 'estonian' WHEN 'eu' THEN 'basque' WHEN 'fi' THEN 'finnish' WHEN 'fr' THEN 'french'
            WHEN 'ga' THEN 'irish' WHEN 'hi' THEN 'hindi' WHEN 'hu' THEN 'hungarian' WHEN 'hy' THEN 'armenian'
            WHEN 'id' THEN 'indonesian' WHEN 'it' THEN 'italian' WHEN 'lt' THEN 'lithuanian'
            WHEN 'nb' THEN 'norwegian' WHEN 'ne' THEN 'nepali' WHEN 'nl' THEN 'dutch' WHEN 'nn' THEN 'norwegian'
            WHEN 'no' THEN 'norwegian' WHEN 'pt' THEN 'portuguese' WHEN 'ro' THEN 'romanian'
            WHEN 'ru' THEN 'russian' WHEN 'sr' THEN 'serbian' WHEN 'sv' THEN 'swedish' WHEN 'ta' THEN 'tamil'
            WHEN 'tr' THEN 'turkish' WHEN 'yi' THEN 'yiddish' END), 'simple')
$$;

-- Words of a text by a configuration and, in the same places, as they are written: so stop words ("The Who") and
-- names are found too, and a phrase stays one.
CREATE FUNCTION search_words(config text, said text) RETURNS tsvector LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(
        '''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || ''':' || array_to_string(positions, ','), ' '
    ), '')::tsvector
    FROM (
        SELECT lexeme, positions FROM unnest(to_tsvector(config::regconfig, said))
        UNION ALL SELECT lexeme, positions FROM unnest(to_tsvector('simple', said))
    ) AS word
$$;

-- What somebody typed, as a query: no operator of theirs is an error, and of nothing but stop words all count.
CREATE FUNCTION search_query(config text, said text) RETURNS tsquery LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN numnode(query) > 0 THEN query ELSE websearch_to_tsquery('simple', said) END
    FROM websearch_to_tsquery(config::regconfig, said) AS query
$$;

-- A title as it is ordered and completed; short enough for an index whatever stands in it.
CREATE FUNCTION search_key(title text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(lower(normalize(title, NFC)), 200)
$$;

-- Writes the listing of courses anew: the published ones stand in it, the others do not.
CREATE FUNCTION list_courses(changed text[]) RETURNS void LANGUAGE sql AS $$
    DELETE FROM listing USING course
    WHERE listing.course = course.id AND course.id = ANY (changed) AND NOT course.published;

    INSERT INTO listing AS old (course, title, title_key, instructor, poster, category, difficulty, language, duration,
        duration_ms, items_total, config, title_words, description, words)
    SELECT course.id, said.title, search_key(said.title), said.instructor, said.poster, said.category, said.difficulty,
        said.language,
        CASE WHEN course.duration_ms < 3600000 THEN '0-1h' WHEN course.duration_ms < 4 * 3600000 THEN '1-4h'
            WHEN course.duration_ms < 12 * 3600000 THEN '4-12h' ELSE '12h+' END,
        course.duration_ms, course.items_total, known.config,
        setweight(search_words(known.config, said.title), 'A'),
        left(said.description, 2000),
        setweight(search_words(known.config, said.title), 'A') ||
            setweight(search_words(known.config, said.instructor), 'B') ||
            setweight(to_tsvector(known.config::regconfig, said.sections), 'C') ||
            setweight(to_tsvector(known.config::regconfig, said.description), 'D')
    FROM course
        CROSS JOIN LATERAL (SELECT
            left(coalesce(course.content ->> 'title', ''), 500) AS title,
            left(coalesce(course.content ->> 'instructor', ''), 500) AS instructor,
            coalesce(course.content ->> 'poster', '') AS poster,
            left(coalesce(course.content ->> 'category', ''), 64) AS category,
            coalesce(course.content ->> 'difficulty', '') AS difficulty,
            left(split_part(lower(coalesce(course.content ->> 'language', '')), '-', 1), 8) AS language,
            left(coalesce(course.content ->> 'description', ''), 20000) AS description,
            coalesce((SELECT left(string_agg(section ->> 'title', ' / '), 20000) FROM jsonb_array_elements(
                CASE jsonb_typeof(course.content -> 'sections') WHEN 'array' THEN course.content -> 'sections' ELSE '[]' END
            ) AS section), '') AS sections
        ) AS said
        CROSS JOIN LATERAL (SELECT search_config(said.language) AS config) AS known
    WHERE course.id = ANY (changed) AND course.published
    ON CONFLICT (course) DO UPDATE SET title = EXCLUDED.title, title_key = EXCLUDED.title_key,
        instructor = EXCLUDED.instructor, poster = EXCLUDED.poster, category = EXCLUDED.category,
        difficulty = EXCLUDED.difficulty, language = EXCLUDED.language, duration = EXCLUDED.duration,
        duration_ms = EXCLUDED.duration_ms, items_total = EXCLUDED.items_total, config = EXCLUDED.config,
        title_words = EXCLUDED.title_words, description = EXCLUDED.description, words = EXCLUDED.words
    WHERE old IS DISTINCT FROM EXCLUDED;
$$;

CREATE FUNCTION list_course() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM list_courses(ARRAY[NEW.id]);
    RETURN NULL;
END $$;
CREATE TRIGGER list_new_course AFTER INSERT ON course FOR EACH ROW WHEN (NEW.published)
    EXECUTE FUNCTION list_course();
-- Most updates of a course only count its items anew (0009), and come to the same.
CREATE TRIGGER list_course AFTER UPDATE OF content, published, duration_ms, items_total ON course FOR EACH ROW
    WHEN ((OLD.content, OLD.published, OLD.duration_ms, OLD.items_total) IS DISTINCT FROM
        (NEW.content, NEW.published, NEW.duration_ms, NEW.items_total))
    EXECUTE FUNCTION list_course();

-- At the end of the transaction: two who publish several courses each never wait for one another in a circle.
CREATE FUNCTION touch_listing() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed text := coalesce(NEW.config, OLD.config);
BEGIN
    UPDATE listing_state SET updated_at = clock_timestamp(),
        configs = CASE WHEN configs @> ARRAY[changed] THEN configs ELSE configs || changed END
    WHERE xmin <> pg_current_xact_id()::xid OR NOT configs @> ARRAY[changed];
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER touch_listing AFTER INSERT OR UPDATE OR DELETE ON listing
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch_listing();

-- Makes the index that finds misspelt titles where the extension can be had; says whether it is there. Safe to call
-- again, from several at once, and without the right to create an extension.
CREATE FUNCTION ensure_trigrams() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    there boolean := false;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ensure_trigrams', 0));
    BEGIN
        IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
            CREATE EXTENSION IF NOT EXISTS pg_trgm;
            CREATE INDEX IF NOT EXISTS listing_trigrams ON listing USING gin (title_key gin_trgm_ops);
            there := true;
        END IF;
    EXCEPTION WHEN insufficient_privilege OR undefined_object OR undefined_file OR feature_not_supported THEN
        RAISE NOTICE 'misspelt titles are not found: %', SQLERRM;
    END;
    UPDATE listing_state SET trigrams = there WHERE trigrams <> there;
    RETURN there;
END $$;

-- Courses whose titles come near a text, the nearest first. In this language, so that it can be where the extension
-- is not: there nobody calls it.
CREATE FUNCTION similar_titles(said text, of_category text, of_difficulty text, of_language text, of_duration text,
    most integer) RETURNS TABLE (course text, likeness real) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT listing.course, word_similarity(said, title_key)
        FROM listing
        WHERE title_key %> said
            AND (of_category = '' OR category = of_category) AND (of_difficulty = '' OR difficulty = of_difficulty)
            AND (of_language = '' OR language = of_language) AND (of_duration = '' OR duration = of_duration)
        ORDER BY title_key <->> said, title_key, listing.course
        LIMIT most;
END $$;

SELECT list_courses(array_agg(id)) FROM course WHERE published;
-- No event of a trigger waits when a later migration changes the table.
SET CONSTRAINTS touch_listing IMMEDIATE;
SET CONSTRAINTS touch_listing DEFERRED;
