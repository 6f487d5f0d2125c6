/** Owns what a WebVTT file of thumbnails says: which part of one picture shows which seconds. Pure. */

const TIMES = /^(?:(\d+):)?(\d\d):(\d\d)\.(\d{3})\s+-->\s+(?:(\d+):)?(\d\d):(\d\d)\.(\d{3})/;
const PLACE = /#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)\s*$/;

/** Thumbnails of a lecture of a day, one a second: more is no sprite. */
const CUES_MAX = 86_400;

/**
 * @typedef {{from_ms: number, to_ms: number, x: number, y: number, width: number, height: number}} Thumbnail
 *
 * The thumbnails in order of time; lines that are none are passed over.
 * @param {string} text @returns {Thumbnail[]}
 */
export function thumbnailsOf(text) {
  const found = [];
  let times = null;
  for (const line of text.split(/\r?\n/)) {
    const timed = line.match(TIMES);
    if (timed) {
      times = timed;
      continue;
    }
    const place = times && line.match(PLACE);
    if (!place || found.length >= CUES_MAX) continue;
    const [x, y, width, height] = place.slice(1).map(Number);
    if (width && height) found.push({ from_ms: msOf(times.slice(1, 5)), to_ms: msOf(times.slice(5, 9)), x, y, width, height });
    times = null;
  }
  return found.sort((a, b) => a.from_ms - b.from_ms);
}

/** The thumbnail of a moment: the last that begins at or before it. @returns {Thumbnail | null} */
export function thumbnailAt(thumbnails, at_ms) {
  let [low, high] = [0, thumbnails.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (thumbnails[middle].from_ms <= at_ms) low = middle + 1;
    else high = middle;
  }
  return thumbnails[Math.max(0, low - 1)] ?? null;
}

function msOf([hours = 0, minutes, seconds, ms]) {
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(ms);
}
