-- name: write
-- One slot's checkpoint: fence, progress, device watermarks, history and head changes, all or nothing (design 5).
WITH fence AS MATERIALIZED (
    SELECT 1 FROM slot_lease WHERE slot = $1 AND epoch = $2 FOR SHARE
), written AS (
    INSERT INTO progress AS old (
        student, item, course, version, rev, epoch, pass, position_ms, device, action_at, rule, done,
        completions, coverage, furthest_ms, content_ms, wall, merge, folded, updated_at)
    SELECT new.student, new.item, new.course, new.version, new.rev, new.epoch, new.pass, new.position_ms,
        new.device, new.action_at, new.rule, new.done, new.completions::timestamptz[],
        new.coverage::int4multirange, new.furthest_ms, new.content_ms, new.wall::int8multirange,
        new.merge::jsonb, new.folded, $3
    FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::int[], $10::int[],
        $11::int[], $12::text[], $13::timestamptz[], $14::text[], $15::bool[], $16::text[], $17::text[],
        $18::int[], $19::bigint[], $20::text[], $21::text[], $22::bigint[])
        AS new (student, item, course, version, rev, epoch, pass, position_ms, device, action_at, rule,
            done, completions, coverage, furthest_ms, content_ms, wall, merge, folded), fence
    ORDER BY new.student, new.item
    ON CONFLICT (student, item) DO UPDATE SET
        course = EXCLUDED.course, version = EXCLUDED.version, rev = EXCLUDED.rev, epoch = EXCLUDED.epoch,
        pass = EXCLUDED.pass, position_ms = EXCLUDED.position_ms, device = EXCLUDED.device,
        action_at = EXCLUDED.action_at, rule = EXCLUDED.rule, done = EXCLUDED.done,
        completions = EXCLUDED.completions, coverage = EXCLUDED.coverage,
        furthest_ms = EXCLUDED.furthest_ms, content_ms = EXCLUDED.content_ms, wall = EXCLUDED.wall,
        merge = EXCLUDED.merge, folded = EXCLUDED.folded, updated_at = EXCLUDED.updated_at
    WHERE EXCLUDED.folded > old.folded
    RETURNING student, item, rev, position_ms, content_ms, device
), history AS (
    INSERT INTO checkpoint_history (at, slot, slot_epoch, student, item, rev, position_ms, content_ms, device)
    SELECT $3, $1, $2, student, item, rev, position_ms, content_ms, device FROM written
), changed AS (
    INSERT INTO head_change (at, student, item, rev, what, rule, device, position_ms, former_ms, done, epoch,
        pass, version, why)
    SELECT new.at, new.student, new.item, new.rev, new.what, new.rule, new.device, new.position_ms,
        new.former_ms, new.done, new.epoch, new.pass, new.version, new.why::jsonb
    FROM unnest($27::timestamptz[], $28::text[], $29::text[], $30::bigint[], $31::text[], $32::text[],
        $33::text[], $34::int[], $35::int[], $36::bool[], $37::int[], $38::int[], $39::text[], $40::text[])
        AS new (at, student, item, rev, what, rule, device, position_ms, former_ms, done, epoch, pass, version,
            why), fence
    ON CONFLICT DO NOTHING
), acknowledged AS (
    INSERT INTO device_watermark AS old (student, device, durable_seq, visit, updated_at)
    SELECT new.student, new.device, new.durable_seq, new.visit::jsonb, $3
    FROM unnest($23::text[], $24::text[], $25::bigint[], $26::text[])
        AS new (student, device, durable_seq, visit), fence
    ORDER BY new.student, new.device
    ON CONFLICT (student, device) DO UPDATE SET
        durable_seq = EXCLUDED.durable_seq, visit = EXCLUDED.visit, updated_at = EXCLUDED.updated_at
    WHERE EXCLUDED.durable_seq > old.durable_seq
        OR EXCLUDED.durable_seq = old.durable_seq AND EXCLUDED.updated_at > old.updated_at
)
SELECT (SELECT count(*) FROM fence) AS fence, (SELECT count(*) FROM written) AS written;
