/** Owns the question what to go on with in a course: pure, asked by the pages again with every new head. */

/** Kinds that have a page to go on at. */
const OPENS = new Map([
  ["video", "watch"],
  ["pdf", "read"],
  ["text", "read"],
]);

/** Where an item opens, or null if this app has no page for its kind. */
export function pathOf({ id, kind }) {
  const page = OPENS.get(kind);
  return page ? `#/${page}/${encodeURIComponent(id)}` : null;
}

/**
 * What to go on with: the item begun last and not done, or, if one was finished after that, the first one behind
 * it that is not done. Null when nothing was begun, or all is done.
 *
 * @param {{item: any, done: boolean, begun: boolean, open: boolean, at_ms: number}[]} standings  in the order of
 *        the course; `open`: begun, and with something left; `at_ms`: when it was last touched
 */
export function nextUp(standings) {
  const here = standings.filter(({ item }) => pathOf(item));
  const touched = here.filter(({ begun, done }) => begun || done);
  const latest = touched.reduce((best, each) => (best === null || each.at_ms > best.at_ms ? each : best), null);
  if (!latest) return null;
  if (latest.open) return latest;
  return behind(here, latest) ?? newest(touched.filter(({ open }) => open)) ?? here.find(({ done }) => !done) ?? null;
}

/** The item to begin a course with: the first that is not done. */
export function firstUp(standings) {
  return standings.find(({ item, done }) => pathOf(item) && !done) ?? null;
}

function behind(standings, latest) {
  return standings.slice(standings.indexOf(latest) + 1).find(({ done }) => !done) ?? null;
}

function newest(standings) {
  return standings.reduce((best, each) => (best === null || each.at_ms > best.at_ms ? each : best), null);
}
