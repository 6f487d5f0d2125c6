/** Owns what is searched for, and its address: pure, so that going back finds the same search again. */

/** The facets one can choose from, and their headings. */
export const FACETS = new Map([
  ["category", "Category"],
  ["difficulty", "Level"],
  ["language", "Language"],
  ["duration", "Length"],
]);

const NAMES = ["q", ...FACETS.keys()];

/** Longer words are cut: the server refuses them (H9). */
const Q_MAX = 200;

/**
 * What an address asks for; anything it says besides is left out.
 * @param {string} hash  `#/browse?q=...`
 * @returns {Record<string, string>}  every name, "" for what is not asked
 */
export function readBrowse(hash) {
  const said = new URLSearchParams(hash.split("?")[1] ?? "");
  return Object.fromEntries(NAMES.map((name) => [name, (said.get(name) ?? "").trim().slice(0, Q_MAX)]));
}

/** The address of a search; what is not asked is not in it. */
export function browseHash(wanted) {
  const asked = new URLSearchParams(NAMES.filter((name) => wanted[name]).map((name) => [name, wanted[name]]));
  return asked.size ? `#/browse?${asked}` : "#/browse";
}

/** The search with one value of a facet chosen, or given up if it was chosen before. */
export function toggled(wanted, facet, value) {
  return { ...wanted, [facet]: wanted[facet] === value ? "" : value };
}

/** The facets that are chosen: `[facet, value]`. */
export function chosen(wanted) {
  return [...FACETS.keys()].filter((facet) => wanted[facet]).map((facet) => [facet, wanted[facet]]);
}

/** The search with no facet chosen. */
export function unfiltered(wanted) {
  return { ...readBrowse(""), q: wanted.q };
}
