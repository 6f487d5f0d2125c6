-- Every change of a head, of done, of the epoch and of the version, with its rule and loser (R4); one partition
-- a month. A change is written once: the key makes sending it again harmless.

CREATE TABLE head_change (
    at           timestamptz NOT NULL,
    student      text COLLATE "C" NOT NULL,
    item         text COLLATE "C" NOT NULL,
    rev          bigint NOT NULL,
    what         text NOT NULL,
    rule         text NOT NULL,
    device       text NOT NULL,
    position_ms  integer NOT NULL,
    former_ms    integer,
    done         boolean NOT NULL,
    epoch        integer NOT NULL,
    pass         integer NOT NULL,
    version      text NOT NULL,
    why          jsonb NOT NULL,
    PRIMARY KEY (student, item, rev, what, at)
) PARTITION BY RANGE (at);
