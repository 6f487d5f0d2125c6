-- name: write
-- Checkpoints of slots: fences, progress, watermarks, history and head changes; of a fenced slot nothing (design 5).
WITH fence AS MATERIALIZED (
    SELECT slot FROM slot_lease JOIN unnest($2::smallint[], $3::bigint[]) AS claim (slot, epoch)
        USING (slot, epoch)
    ORDER BY slot FOR SHARE OF slot_lease
), written AS (
    INSERT INTO progress AS old (
        student, item, course, version, rev, epoch, pass, position_ms, device, action_at, rule, done,
        completions, coverage, furthest_ms, content_ms, wall, state, folded, updated_at)
    SELECT new.student, new.item, new.course, new.version, new.rev, new.epoch, new.pass, new.position_ms,
        new.device, to_timestamp(new.action_ms / 1000::float8), new.rule, new.done, new.completions::timestamptz[],
        new.coverage::int4multirange, new.furthest_ms, new.content_ms, new.wall::int8multirange,
        new.state, new.folded, $1
    FROM unnest($4::smallint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::int[],
        $11::int[], $12::int[], $13::text[], $14::bigint[], $15::text[], $16::bool[], $17::int[],
        $18::bigint[], $19::bigint[], $20::text[], $21::text[], $22::text[], $23::bytea[])
        AS new (slot, student, item, course, version, rev, epoch, pass, position_ms, device, action_ms, rule,
            done, furthest_ms, content_ms, folded, completions, coverage, wall, state)
    WHERE new.slot IN (SELECT slot FROM fence)
    ORDER BY new.student, new.item
    ON CONFLICT (student, item) DO UPDATE SET
        course = EXCLUDED.course, version = EXCLUDED.version, rev = EXCLUDED.rev, epoch = EXCLUDED.epoch,
        pass = EXCLUDED.pass, position_ms = EXCLUDED.position_ms, device = EXCLUDED.device,
        action_at = EXCLUDED.action_at, rule = EXCLUDED.rule, done = EXCLUDED.done,
        completions = EXCLUDED.completions, coverage = EXCLUDED.coverage,
        furthest_ms = EXCLUDED.furthest_ms, content_ms = EXCLUDED.content_ms, wall = EXCLUDED.wall,
        state = EXCLUDED.state, merge = NULL, folded = EXCLUDED.folded, updated_at = EXCLUDED.updated_at
    WHERE EXCLUDED.folded > old.folded
    RETURNING student, item, rev, position_ms, content_ms, device
), history AS (
    INSERT INTO checkpoint_history (at, student, item, rev, position_ms, content_ms, device)
    SELECT $1, student, item, rev, position_ms, content_ms, device FROM written
), changed AS (
    INSERT INTO head_change (at, student, item, rev, what, rule, device, position_ms, former_ms, done, epoch,
        pass, version, why)
    SELECT new.at, new.student, new.item, new.rev, new.what, new.rule, new.device, new.position_ms,
        new.former_ms, new.done, new.epoch, new.pass, new.version, new.why::jsonb
    FROM unnest($29::smallint[], $30::timestamptz[], $31::text[], $32::text[], $33::bigint[], $34::text[],
        $35::text[], $36::text[], $37::int[], $38::int[], $39::bool[], $40::int[], $41::int[], $42::text[],
        $43::text[])
        AS new (slot, at, student, item, rev, what, rule, device, position_ms, former_ms, done, epoch, pass,
            version, why)
    WHERE new.slot IN (SELECT slot FROM fence)
    ON CONFLICT DO NOTHING
), acknowledged AS (
    INSERT INTO device_watermark AS old (student, device, durable_seq, state, updated_at)
    SELECT new.student, new.device, new.durable_seq, new.state, $1
    FROM unnest($24::smallint[], $25::text[], $26::text[], $27::bigint[], $28::bytea[])
        AS new (slot, student, device, durable_seq, state)
    WHERE new.slot IN (SELECT slot FROM fence)
    ORDER BY new.student, new.device
    ON CONFLICT (student, device) DO UPDATE SET
        durable_seq = EXCLUDED.durable_seq, state = EXCLUDED.state, visit = NULL, updated_at = EXCLUDED.updated_at
    WHERE EXCLUDED.durable_seq > old.durable_seq
        OR EXCLUDED.durable_seq = old.durable_seq AND EXCLUDED.updated_at > old.updated_at
)
SELECT ARRAY(SELECT slot FROM fence) AS standing, (SELECT count(*) FROM written) AS written
