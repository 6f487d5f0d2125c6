-- name: state
-- The version of everything that is listed, the languages in it, and whether misspelt titles can be found.
SELECT xmin::text || '@' || extract(epoch FROM updated_at) AS version, configs, trigrams FROM listing_state;

-- name: matched
-- A page of the best of at most $8 courses that match $1, titles first, beyond a place ($9, $10); with how many match.
WITH asked AS MATERIALIZED (
    -- Most words are the same query in several languages.
    SELECT search_query(config, $1) AS query, array_agg(config) AS configs FROM unnest($2::text[]) AS config GROUP BY 1
), useful AS MATERIALIZED (
    -- One that only says what is not wanted would read everything.
    SELECT query, configs FROM asked WHERE querytree(query) NOT IN ('', 'T')
), titled AS MATERIALIZED (
    SELECT listing.course, useful.query, (1 + ts_rank(title_words, query, 2))::float8 AS rank
    FROM useful JOIN listing ON listing.title_words @@ useful.query AND listing.config = ANY (useful.configs)
    WHERE ($3 = '' OR category = $3) AND ($4 = '' OR difficulty = $4) AND ($5 = '' OR language = $5)
        AND ($6 = '' OR duration = $6)
    LIMIT $8
), others AS MATERIALIZED (
    SELECT listing.course, useful.query, ts_rank(words, query, 1)::float8 AS rank
    FROM useful JOIN listing ON listing.words @@ useful.query AND listing.config = ANY (useful.configs)
    WHERE ($3 = '' OR category = $3) AND ($4 = '' OR difficulty = $4) AND ($5 = '' OR language = $5)
        AND ($6 = '' OR duration = $6) AND NOT listing.title_words @@ useful.query
    LIMIT $8 - (SELECT count(*) FROM titled)
), ranked AS MATERIALIZED (
    SELECT * FROM titled UNION ALL SELECT * FROM others
), page AS (
    SELECT * FROM ranked WHERE rank < $9::float8 OR (rank = $9 AND course > $10)
    ORDER BY rank DESC, course LIMIT $7
)
SELECT counted.total, page.rank, listing.course AS id, listing.title, listing.title_key,
    left(listing.description, 500) AS description, listing.instructor, listing.category, listing.difficulty,
    listing.language, listing.duration_ms, listing.items_total, listing.poster,
    ts_headline(listing.config::regconfig, translate(listing.description, U&'\0002\0003', ''), page.query, $11)
        AS snippet
FROM (SELECT count(*) AS total FROM ranked) AS counted
    LEFT JOIN page ON true
    LEFT JOIN listing ON listing.course = page.course
ORDER BY page.rank DESC, page.course;

-- name: matched_facets
-- How many of the first $7 courses that match $1 have which facets.
WITH asked AS MATERIALIZED (
    SELECT search_query(config, $1) AS query, array_agg(config) AS configs FROM unnest($2::text[]) AS config GROUP BY 1
), useful AS MATERIALIZED (
    SELECT query, configs FROM asked WHERE querytree(query) NOT IN ('', 'T')
), found AS MATERIALIZED (
    SELECT category, difficulty, language, duration
    FROM useful JOIN listing ON listing.words @@ useful.query AND listing.config = ANY (useful.configs)
    WHERE ($3 = '' OR category = $3) AND ($4 = '' OR difficulty = $4) AND ($5 = '' OR language = $5)
        AND ($6 = '' OR duration = $6)
    LIMIT $7
)
SELECT category, difficulty, language, duration, count(*) FROM found GROUP BY 1, 2, 3, 4;

-- name: browsed
-- A page of all courses by title, beyond a place ($6, $7).
SELECT course AS id, title, title_key, left(description, 500) AS description, instructor, category, difficulty, language,
    duration_ms, items_total, poster
FROM listing
WHERE ($1 = '' OR category = $1) AND ($2 = '' OR difficulty = $2) AND ($3 = '' OR language = $3)
    AND ($4 = '' OR duration = $4) AND (title_key, course) > ($6, $7)
ORDER BY title_key, course
LIMIT $5;

-- name: all_facets
-- How many courses have which facets.
SELECT category, difficulty, language, duration, count(*) FROM listing GROUP BY 1, 2, 3, 4;

-- name: similar
-- Courses whose titles come near what was typed, for when nothing matches as written; only where pg_trgm is.
SELECT listing.course AS id, title, title_key, left(description, 500) AS description, instructor, category, difficulty,
    language, duration_ms, items_total, poster, likeness
FROM similar_titles(search_key($1), $2, $3, $4, $5, $6) AS found JOIN listing ON listing.course = found.course
ORDER BY likeness DESC, title_key, id;

-- name: completed
-- Titles that begin with what was typed, then those in which each word of it begins a word ($3: whether to look).
WITH beginning AS MATERIALIZED (
    SELECT course, title, title_key FROM listing
    WHERE title_key >= search_key($1) AND title_key < search_key($1) || chr(1114111)
    ORDER BY title_key, course LIMIT $2
), begun AS MATERIALIZED (
    SELECT string_agg('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || ''':*', ' & ')::tsquery AS query
    FROM (SELECT lexeme FROM unnest(to_tsvector('simple', $1)) WHERE length(lexeme) > 1 LIMIT 8) AS word
), inside AS MATERIALIZED (
    SELECT course, title, title_key FROM begun JOIN listing ON title_words @@ begun.query
    WHERE $3 AND NOT starts_with(title_key, search_key($1))
    LIMIT CASE WHEN (SELECT count(*) FROM beginning) < $2 THEN 200 ELSE 0 END
)
SELECT course AS id, title FROM (
    SELECT 0 AS tier, * FROM beginning UNION ALL SELECT 1, * FROM inside
) AS found
ORDER BY tier, title_key, course
LIMIT $2;

-- name: enrolled
-- Which of these courses the student is in.
SELECT course FROM enrolment WHERE student = $1 AND course = ANY ($2::text[]);

-- name: published
-- A published course ($2) for anybody: the version of it, and whether the student is in it.
SELECT course.xmin::text || '@' || extract(epoch FROM course.updated_at) AS version,
    EXISTS (SELECT FROM enrolment WHERE enrolment.student = $1 AND enrolment.course = course.id) AS enrolled
FROM course WHERE course.id = $2 AND course.published;
