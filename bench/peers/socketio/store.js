// The rows at rest: one of each student and item, read at connect, written in batches.
import pg from "pg";

const BATCH_ROWS = 2000;
const pool = new pg.Pool({ connectionString: process.env.POSTGRES_DSN, max: 4 });

await pool.query(`
  CREATE TABLE IF NOT EXISTS progress (
    student text NOT NULL, item text NOT NULL, position_ms bigint NOT NULL, watched_ms bigint NOT NULL,
    device text NOT NULL, rev bigint NOT NULL, updated_at timestamptz NOT NULL,
    PRIMARY KEY (student, item))`);
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

const LOAD = "SELECT item, position_ms, watched_ms, device, rev FROM progress WHERE student = $1";
const SAVE = `
  INSERT INTO progress (student, item, position_ms, watched_ms, device, rev, updated_at)
  SELECT *, now() FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[])
  ON CONFLICT (student, item) DO UPDATE SET position_ms = excluded.position_ms,
    watched_ms = excluded.watched_ms, device = excluded.device, rev = excluded.rev,
    updated_at = excluded.updated_at`;

/** All rows of a student. */
export async function load(student) {
  return (await pool.query({ name: "load", text: LOAD, values: [student] })).rows;
}

/** Write rows `[student, progress]`, each once. */
export async function save(rows) {
  for (let from = 0; from < rows.length; from += BATCH_ROWS) {
    const batch = rows.slice(from, from + BATCH_ROWS);
    const column = (name) => batch.map(([, progress]) => progress[name]);
    const values = [batch.map(([student]) => student)];
    values.push(...["item", "position_ms", "watched_ms", "device", "rev"].map(column));
    await pool.query({ name: "save", text: SAVE, values });
  }
}

export const close = () => pool.end();
