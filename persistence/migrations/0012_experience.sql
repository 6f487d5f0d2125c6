-- How playing went: what players tell of starts, stalls, switches and errors; raw for 90 days, by the hour for
-- two years (design 6).

-- `course` stands beside the item so that nobody has to look it up again. What a kind has no use for is 0 or ''.
CREATE TABLE experience (
    at            timestamptz NOT NULL,
    course        text COLLATE "C" NOT NULL,
    item          text COLLATE "C" NOT NULL,
    version       text COLLATE "C" NOT NULL,
    student       text COLLATE "C" NOT NULL,
    play          text COLLATE "C" NOT NULL,
    kind          text COLLATE "C" NOT NULL,
    quality       text COLLATE "C" NOT NULL,
    from_quality  text COLLATE "C" NOT NULL,
    duration_ms   integer NOT NULL,
    count         integer NOT NULL,
    total         integer NOT NULL,
    code          text COLLATE "C" NOT NULL,
    status        smallint NOT NULL,
    fatal         boolean NOT NULL,
    auto          boolean NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX experience_item ON experience (item, at);

-- Sums of an hour, so that they can be added up over any time: starts within 300, 1000 and 3000 ms instead of a
-- percentile, which cannot.
CREATE TABLE experience_hour (
    hour            timestamptz NOT NULL,
    course          text COLLATE "C" NOT NULL,
    item            text COLLATE "C" NOT NULL,
    version         text COLLATE "C" NOT NULL,
    quality         text COLLATE "C" NOT NULL,
    starts          bigint NOT NULL,
    starts_300      bigint NOT NULL,
    starts_1000     bigint NOT NULL,
    starts_3000     bigint NOT NULL,
    start_ms        bigint NOT NULL,
    watched_ms      bigint NOT NULL,
    stalls          bigint NOT NULL,
    stall_ms        bigint NOT NULL,
    switches        bigint NOT NULL,
    errors          bigint NOT NULL,
    fatal_errors    bigint NOT NULL,
    frames_dropped  bigint NOT NULL,
    frames_shown    bigint NOT NULL,
    PRIMARY KEY (item, hour, version, quality)
) WITH (fillfactor = 70);
CREATE INDEX experience_hour_course ON experience_hour (course, hour);
