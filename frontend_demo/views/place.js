/**
 * Owns where this page runs: as itself, or framed as one of the devices of /demo, each with a storage of its
 * own.
 */

const parameters = new URLSearchParams(location.search);
const FRAMES = ["phone", "laptop", "tv"];

/** The device this frame plays, or null when the page is itself. */
export const frame = FRAMES.includes(parameters.get("frame")) && window.parent !== window ? parameters.get("frame") : null;

/** Keeps sign-in, device id and journal of each framed device apart. */
export const namespace = frame ? `playhead.${frame}` : "playhead";

/** The kind of device as the link said it (`?device=tv`), kept for later visits; null: guess. */
export function deviceKind() {
  const key = `${namespace}:device-kind`;
  const said = frame ?? parameters.get("device");
  if (said) remember(key, said);
  return said ?? recall(key);
}

/** Reads what was remembered; null where storage is refused. */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keeps a line for later visits, where storage allows. */
export function remember(key, text) {
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // Without storage the page works for this visit.
  }
}
