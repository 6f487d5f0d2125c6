/** Owns the one honest word about how safe the student's minutes are (P26): views show it and derive nothing. */

/**
 * @typedef {object} State
 * @property {"saved"|"saving"|"offline"|"memory"|"refused"} state
 *   `saved`: everything is durable and nothing plays on. `saving`: on its way. `offline`: there is no link; what
 *   is unsaved is on this disk. `memory`: what is unsaved lives in this page only, and dies with it. `refused`:
 *   the server takes nothing until the user acts (signs in); what is unsaved stays here.
 * @property {number} unsaved_ms  content played and not durable, with the span that runs now
 * @property {number} entries     journal entries not durable
 * @property {number} since       device wall ms since which `state` has been what it is
 */

/** The word for where the client is; without `since`. */
export function savedness({ status, durability, entries, unsaved_ms, playing }) {
  const unsaved = entries > 0 || playing;
  return { state: word(status, durability, unsaved), entries, unsaved_ms: Math.round(unsaved_ms) };
}

function word(status, durability, unsaved) {
  if (status === "refused") return "refused";
  if (unsaved && durability === "memory") return "memory";
  if (status === "offline") return "offline";
  return unsaved ? "saving" : "saved";
}
