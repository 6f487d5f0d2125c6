/** Owns that the page knows what of a lecture has been seen: asked of the server, and what plays here as it plays. */

import { Seen } from "./seen.js";

/** What is told at rest is at most a checkpoint behind: another device's play is looked up this often. */
const LOOK_MS = 30_000;

/** After another device has paused, what it played is written down by then (P26). */
const SOON_MS = 1_500;

/** What is live and what is at rest disagree: asked again after this. */
const LAG_MS = 4_000;

/**
 * @param {{player: any, client: any, api: any, item: {id: string}}} of
 * @returns {{spans: () => [number, number][] | null, update: () => void, close: () => void}}  `spans`: null while
 *          nothing is known
 */
export function coverage({ player, client, api, item }) {
  const seen = new Seen();
  let known = false;
  let timer = null;
  let looked_at = 0;
  let closed = false;
  const look = async () => {
    looked_at = performance.now();
    try {
      const { epoch, coverage: spans } = await api.explain(item.id);
      const { head } = player;
      // What is at rest may still be of before a fresh start.
      if (head?.rev > 0 && head.epoch !== epoch) return lookSoon(LAG_MS);
      seen.told(epoch, spans);
    } catch (error) {
      // Nothing has been played of it, or the server is away: what plays here is still known.
      if (error.status !== 404 && !known) return;
    }
    known = true;
  };
  const lookSoon = (ms) => {
    clearTimeout(timer);
    // An answer may come after the page has been left.
    if (closed) return;
    timer = setTimeout(() => void look(), ms);
  };
  const heard = ({ head, fresh }) => {
    if (head.item !== item.id || !fresh || head.rev === 0) return;
    if (seen.of(head.epoch)) return lookSoon(SOON_MS);
    if (head.device === client.device.id) return;
    lookSoon(head.playing ? Math.max(SOON_MS, LOOK_MS - (performance.now() - looked_at)) : SOON_MS);
  };
  const off = client.on("head", heard);
  const update = () => seen.at(player.position_ms, player.phase === "playing");
  const close = () => {
    closed = true;
    clearTimeout(timer);
    off();
  };
  void look();
  return { spans: () => (known ? seen.spans : null), update, close };
}
