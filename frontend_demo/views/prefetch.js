/**
 * Owns what is fetched before anybody presses play: the engine, an item's addresses and playlists, and the segment
 * it begins with. All of it goes through the browser's cache, so nothing is fetched twice.
 */

import { addressesOf } from "./addresses.js";
import { loadEngine, playlistHeaders } from "./engine.js";
import { liking, savesData } from "./liking.js";
import { piecesAt } from "./playlist.js";
import { startRendition } from "./rendition.js";

export { loadEngine };

/** An item's start is fetched once in this time. */
const AGAIN_MS = 5 * 60_000;

/** A place this close to the end is played from the beginning. */
const END_MS = 1_000;

const fetched = new Map();

/** What a play of an item begins with on this screen; where its start has been fetched, with that. */
export function beginning(item, renditions) {
  const { quality, bandwidth } = liking();
  const there = renditions.find(({ name }) => name === fetched.get(item)?.name);
  if (there && (quality === "auto" || quality === there.name)) return there;
  const shown_px = document.querySelector(".stage")?.clientWidth || window.innerWidth;
  return startRendition(renditions, { quality, bandwidth, width_px: shown_px * window.devicePixelRatio });
}

/** The playlists of what is about to play, while the engine still loads; failures are the player's to tell. */
export async function warmPlaylists(item, { hls_url, renditions }) {
  const rendition = beginning(item, renditions);
  if (!hls_url || !rendition) return;
  const url = new URL(`${rendition.name}.m3u8`, new URL(hls_url, location.href));
  const headers = playlistHeaders({ bandwidth: liking().bandwidth, starting: true });
  await Promise.allSettled([fetch(hls_url, { headers }), fetch(url, { headers })]);
}

/**
 * Fetches the start of an item that may be next: where the student is in it. Quiet: it neither throws nor competes
 * with what plays, and does nothing where data is saved.
 * @param {{api: any, client: any}} of @param {{id: string, kind: string, duration_ms: number, progress: any}} item
 */
export async function prefetchStart({ api, client }, item) {
  if (item.kind !== "video" || savesData()) return;
  const before = fetched.get(item.id);
  if (before && performance.now() - before.at_ms < AGAIN_MS) return;
  const fetching = { at_ms: performance.now(), name: "" };
  fetched.set(item.id, fetching);
  try {
    void loadEngine().catch(() => {});
    const answer = await addressesOf({ api, client }, item.id).get();
    fetching.name = await fetchStart(item.id, answer, placeOf(client, item));
  } catch {
    fetched.delete(item.id);
  }
}

/** Fetches the start of an item when somebody points at `element`, or comes to it by key. */
export function prefetchOnLook(element, of, item) {
  for (const name of ["pointerenter", "focus"]) element.addEventListener(name, () => void prefetchStart(of, item), { once: true });
}

/** @returns {Promise<string>} the name of the rendition whose start is there now, empty for none */
async function fetchStart(item, { hls_url, poster_url, renditions }, place_ms) {
  const rendition = hls_url && beginning(item, renditions);
  if (!rendition) return "";
  if (poster_url) new Image().src = poster_url;
  const master = new URL(hls_url, location.href);
  const headers = playlistHeaders({ bandwidth: liking().bandwidth });
  void quietly(master, headers).catch(() => {});
  const playlist = await quietly(new URL(`${rendition.name}.m3u8`, master), headers).then((response) => response.text());
  const pieces = piecesAt(playlist, place_ms / 1000);
  if (!pieces) return "";
  const url = new URL(pieces.url, master);
  for (const bytes of [pieces.head, pieces.segment]) {
    if (bytes) await quietly(url, { Range: `bytes=${bytes.from}-${bytes.to}` }).then((response) => response.arrayBuffer());
  }
  return rendition.name;
}

function placeOf(client, item) {
  const head = client.heads.get(item.id);
  const place_ms = head?.rev > 0 ? client.heads.place(item.id) : (item.progress?.position_ms ?? 0);
  return place_ms >= item.duration_ms - END_MS ? 0 : place_ms;
}

async function quietly(url, headers = {}) {
  const response = await fetch(url, { headers, priority: "low" });
  if (!response.ok) throw new Error(`${response.status}`);
  return response;
}
