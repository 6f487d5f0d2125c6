/**
 * Owns what an entry of the journal is: which fields it may have, when one goes on where another ended, and
 * what is sent in the place of one that cannot be read.
 */

/** Fields of an event (docs/protocol.md). Anything else on disk was not written by this client: not sent. */
const FIELDS = Object.freeze([
  "seq", "session", "item", "version", "base_rev", "kind", "mono_ms", "boot", "wall",
  "position_ms", "from_ms", "to_ms", "rate", "intent", "by", "done", "question", "value",
]);

/** Spans that leave a hole or an overlap of more than this in real time are two. In sum, over a whole entry. */
const SEAM_MS = 500;

/** Spans are joined to at most this much: what one entry can lose is bounded. */
const LONGEST_MS = 60 * 60_000;

/** What has to be the same in two spans that become one. */
const SAME = Object.freeze(["session", "item", "version", "base_rev", "rate", "boot"]);

/**
 * The entry stored under `seq`, frozen; or, if nobody can read it, what it is by its `seq`, so that the server
 * refuses that one and takes the rest (P23).
 */
export function readEntry(seq, stored) {
  if (!stored || typeof stored !== "object" || stored.seq !== seq || typeof stored.kind !== "string") return spoiled(seq);
  const fields = FIELDS.filter((name) => Object.hasOwn(stored, name)).map((name) => [name, stored[name]]);
  if (fields.some(([, value]) => !isPlain(value))) return spoiled(seq);
  return Object.freeze(Object.fromEntries(fields));
}

/** Stands for an entry that is lost, cannot be read, or that no frame can hold. */
export function spoiled(seq) {
  return Object.freeze({ seq, kind: "unreadable" });
}

/**
 * `entry` lengthened by `event`, or null if that is another entry: only a span that goes on in content and in
 * real time. `start_mono` is when the entry's play began, so that seams never add up.
 */
export function lengthened(entry, event, start_mono) {
  if (entry?.kind !== "played" || event.kind !== "played" || entry.to_ms !== event.from_ms) return null;
  if (SAME.some((name) => entry[name] !== event[name])) return null;
  if (event.to_ms - entry.from_ms > LONGEST_MS) return null;
  const started_mono = event.mono_ms - (event.to_ms - entry.from_ms) / event.rate;
  if (!(Math.abs(started_mono - start_mono) <= SEAM_MS)) return null;
  const { to_ms, mono_ms, wall } = event;
  return Object.freeze({ ...entry, to_ms, mono_ms, wall });
}

/** When the play of a span began, on its boot's clock. */
export function startMono({ mono_ms, from_ms, to_ms, rate }) {
  return mono_ms - (to_ms - from_ms) / rate;
}

/** Content ms in it. */
export function contentMs(entry) {
  return entry.kind === "played" ? entry.to_ms - entry.from_ms : 0;
}

function isPlain(value) {
  if (typeof value === "number") return Number.isFinite(value);
  // A lone surrogate spoils the whole frame it is in, not just its entry.
  if (typeof value === "string") return value === wellFormed(value);
  return value === null || typeof value === "boolean";
}

/** The text with every lone surrogate replaced, as `String.toWellFormed` where that is missing. */
export function wellFormed(text) {
  return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}
