/** Owns which quality a play begins with, and how qualities are named. Pure. */

/** Bits/s of a network nobody has measured yet: a phone on the road. */
const UNKNOWN_BANDWIDTH = 3_000_000;

/** Share of the bandwidth a rendition may take, so that the buffer grows. */
const SAFE_SHARE = 0.7;

/**
 * The rendition to begin with: the one that was chosen, or the best that the network carries and the picture is
 * large enough to show.
 * @param {{name: string, width: number, height: number, bitrate: number}[]} renditions  in any order
 * @param {{quality: string, bandwidth: number, width_px: number}} given  `bandwidth` in bits/s, 0 unknown
 */
export function startRendition(renditions, { quality, bandwidth, width_px }) {
  const rungs = [...renditions].sort((a, b) => a.bitrate - b.bitrate);
  if (!rungs.length) return null;
  const chosen = quality === "auto" ? null : nearest(rungs, quality);
  if (chosen) return chosen;
  const carried = rungs.filter(({ bitrate }) => bitrate <= (bandwidth || UNKNOWN_BANDWIDTH) * SAFE_SHARE);
  const enough = carried.find(({ width }) => width >= width_px);
  return enough ?? carried.at(-1) ?? rungs[0];
}

/** The rung of that name, or the best one below it: another lecture may have fewer. */
export function nearest(rungs, name) {
  const wanted = heightOf(name);
  const sorted = [...rungs].sort((a, b) => heightOf(a.name) - heightOf(b.name));
  return sorted.find((rung) => rung.name === name) ?? sorted.findLast((rung) => heightOf(rung.name) <= wanted) ?? sorted[0] ?? null;
}

/** `720p` as a number. */
export function heightOf(name) {
  return Number.parseInt(name, 10) || 0;
}

/** The name of a rendition in the address of its playlist: `…/720p.m3u8`. */
export function nameIn(address) {
  return address.match(/([0-9a-z]{1,16})\.m3u8(?:[?#]|$)/)?.[1] ?? "";
}
