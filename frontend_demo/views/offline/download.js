/**
 * Owns how one item comes to this device: what it needs, whether that fits, and its bytes, piece by piece. It is
 * kept as a whole or not at all.
 */

import { newId } from "../../client/ids.js";
import { filesOf, masterOf, qualitiesOf } from "./playlists.js";
import { lockOf, pathOf } from "./shelf.js";

/** Fetched at once: a link that breaks costs no more than this. */
const PIECE_BYTES = 4 * 1024 * 1024;

const TRIES = 4;
const RETRY_MS = 1_500;

/** Left free for the journal and the pages, whatever is downloaded. */
const SPARE_BYTES = 16 * 1024 * 1024;

/** Local addresses do not run out. */
const FOREVER_S = 365 * 24 * 3600;

/** It was not downloaded; the message says why and what to do. */
export class DownloadError extends Error {
  name = "DownloadError";
}

/**
 * @typedef {object} Plan
 * @property {object} item  `GET /v1/items/{id}`
 * @property {object} course
 * @property {{name: string, height: number, bytes: number}[]} choices  qualities of a video, best first; one else
 */

/** What there is to choose from, and how much each takes. @returns {Promise<Plan & {sources: object}>} */
export async function planOf(api, id) {
  const item = await api.item(id);
  const course = await api.course(item.course);
  if (item.kind === "video") return { item, course, ...(await videoPlan(api, item)) };
  const answer = await api.document(id);
  const bytes = answer.kind === "pdf" ? answer.length_bytes : new Blob([answer.markdown]).size;
  return { item, course, choices: [{ name: "", height: 0, bytes }], sources: { answer } };
}

async function videoPlan(api, item) {
  const answer = await api.media(item.id);
  if (answer.local) throw new DownloadError("This lecture is on this device already.");
  const master_url = new URL(answer.hls_url, location.href).href;
  const qualities = qualitiesOf(await textOf(master_url));
  const playlists = await Promise.all(
    qualities.map(async (quality) => {
      const url = new URL(quality.uri, master_url).href;
      return { quality, ...filesOf(await textOf(url), url) };
    }),
  );
  const choices = playlists.map(({ quality, files }) => {
    const guess = (quality.bitrate / 8) * (item.duration_ms / 1000);
    const bytes = files.reduce((sum, file) => sum + (file.bytes || guess), 0);
    return { name: quality.name, height: quality.height, bytes };
  });
  return { choices, sources: { answer, playlists } };
}

/** Throws if `bytes` do not fit beside what is here; asks the browser not to clear what is kept. */
export async function makeRoom(bytes, storage = navigator.storage) {
  await storage?.persist?.().catch(() => false);
  const { quota, usage } = (await storage?.estimate?.()) ?? {};
  if (quota === undefined || bytes + SPARE_BYTES <= quota - usage) return;
  const free = Math.max(0, quota - usage - SPARE_BYTES);
  throw new DownloadError(
    `This takes ${sizeWords(bytes)}, and ${sizeWords(free)} are free for Playhead on this device. ` +
      "Delete another download, or choose a lower quality.",
  );
}

/**
 * Keeps an item. Resolves with its slip when the whole of it is here; whatever goes wrong, nothing of it is.
 * @param {{api: any, shelf: import("./shelf.js").Shelf, plan: any, quality: string, signal: AbortSignal,
 *          progress: (fraction: number) => void}} how
 */
export async function keep({ api, shelf, plan, quality, signal, progress }) {
  const choice = plan.choices.find((each) => each.name === quality) ?? plan.choices[0];
  await makeRoom(choice.bytes);
  const id = newId("kept");
  return navigator.locks.request(lockOf(id), async () => {
    try {
      const counted = counter(choice.bytes, progress);
      const made = { id, shelf, api, plan, choice, signal, counted };
      if (plan.item.kind === "video") await keepVideo(made);
      else await keepDocument(made);
      await shelf.putJson(id, "item.json", plan.item);
      await shelf.putCourse(id, plan.course);
      signal.throwIfAborted();
      const slip = slipOf(id, plan, choice, counted.bytes());
      await shelf.close(slip);
      return slip;
    } catch (error) {
      await shelf.remove(id);
      throw reworded(error, signal);
    }
  });
}

function slipOf(id, { item, course }, choice, bytes) {
  return {
    id, bytes, item: item.id, version: item.version, course: course.id, kind: item.kind, title: item.title,
    course_title: course.title, quality: choice.name, at: new Date().toISOString(),
  };
}

async function keepVideo(made) {
  const { id, shelf, api, plan, choice, signal, counted } = made;
  const { answer, playlists } = plan.sources;
  const { quality, files, playlist } = playlists.find((each) => each.quality.name === choice.name);
  for (const [index, file] of files.entries()) {
    const renew = async () => (await freshFiles(api, plan.item, choice.name))[index].url;
    await shelf.put(id, `${index}.mp4`, whole(file, { type: "video/mp4", renew, signal, counted }));
  }
  await shelf.put(id, `${choice.name}.m3u8`, hls(playlist((index) => pathOf(id, `${index}.mp4`))));
  await shelf.put(id, "master.m3u8", hls(masterOf(quality, `${choice.name}.m3u8`)));
  const extras = await keepExtras({ id, shelf, answer, signal });
  const local = { hls_url: pathOf(id, "master.m3u8"), mp4_url: pathOf(id, "0.mp4"), expires_in_s: FOREVER_S, renew_at_s: FOREVER_S, local: true };
  const renditions = (answer.renditions ?? []).filter(({ name }) => name === choice.name);
  await shelf.putJson(id, "media.json", { ...answer, ...extras, ...local, renditions });
}

async function freshFiles(api, item, name) {
  const { sources } = await videoPlan(api, item);
  return sources.playlists.find((each) => each.quality.name === name).files;
}

/** Poster, thumbnails and captions: what of them comes through. */
async function keepExtras({ id, shelf, answer, signal }) {
  const small = async (url, name) => {
    if (!url) return null;
    const told = await fetch(url, { signal });
    if (!told.ok) return null;
    await shelf.put(id, name, told);
    return pathOf(id, name);
  };
  const poster_url = (await small(answer.poster_url, "poster.jpg")) ?? "";
  const image_url = await small(answer.sprite?.image_url, "sprite.jpg");
  const vtt_url = image_url && (await small(answer.sprite.vtt_url, "sprite.vtt"));
  const captions = [];
  for (const [n, caption] of (answer.captions ?? []).entries()) {
    const url = await small(caption.url, `captions-${n}.vtt`);
    if (url) captions.push({ ...caption, url });
  }
  return { poster_url, captions, sprite: vtt_url ? { image_url, vtt_url } : null, preview_url: null };
}

async function keepDocument({ id, shelf, api, plan, signal, counted }) {
  const { answer } = plan.sources;
  if (answer.kind !== "pdf") return shelf.putJson(id, "document.json", { ...answer, expires_in_s: FOREVER_S, local: true });
  const renew = async () => (await api.document(plan.item.id)).url;
  const file = { url: answer.url, bytes: answer.length_bytes };
  await shelf.put(id, "document.pdf", whole(file, { type: "application/pdf", renew, signal, counted }));
  const url = pathOf(id, "document.pdf");
  await shelf.putJson(id, "document.json", { ...answer, url, download_url: url, expires_in_s: FOREVER_S, local: true });
}

/** A response whose body comes piece by piece: each is tried again, at a fresh address if the old one ran out. */
function whole({ url, bytes }, { type, renew, signal, counted }) {
  let next = 0;
  const pull = async (controller) => {
    const to = bytes ? Math.min(bytes, next + PIECE_BYTES) - 1 : Infinity;
    const range = bytes ? { Range: `bytes=${next}-${to}` } : {};
    const piece = await tried(async () => {
      const told = await fetch(url, { headers: range, signal });
      if (told.status === 403) url = await renew();
      if (!told.ok) throw new DownloadError(`The file cannot be read (${told.status}). Try again later.`);
      return new Uint8Array(await told.arrayBuffer());
    }, signal);
    if (bytes && piece.length !== to - next + 1) throw new DownloadError("The file has changed meanwhile. Try again.");
    next += piece.length;
    counted.add(piece.length);
    controller.enqueue(piece);
    if (!bytes || next >= bytes) controller.close();
  };
  const body = new ReadableStream({ pull }, { highWaterMark: 0 });
  return new Response(body, { headers: { "Content-Type": type, ...(bytes ? { "Content-Length": String(bytes) } : {}) } });
}

async function tried(act, signal) {
  for (let n = 1; ; n += 1) {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted || n === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS * n));
    }
  }
}

async function textOf(url) {
  const told = await fetch(url);
  if (!told.ok) throw new DownloadError(`The lecture cannot be read (${told.status}). Try again later.`);
  return told.text();
}

function hls(text) {
  return new Response(text, { headers: { "Content-Type": "application/vnd.apple.mpegurl" } });
}

function counter(total, progress) {
  let bytes = 0;
  return {
    bytes: () => bytes || total,
    add: (more) => {
      bytes += more;
      progress(total ? Math.min(1, bytes / total) : 0);
    },
  };
}

/** A full disk says so in the browser's words; a student needs ours. */
function reworded(error, signal) {
  if (signal.aborted) return signal.reason;
  if (error.name === "QuotaExceededError") return new DownloadError("This device has no room left. Delete another download and try again.");
  if (error instanceof DownloadError) return error;
  if (error.status === 404) return new DownloadError("This is not there any more, or you are not enrolled in it.");
  return new DownloadError("The network went away before all of it was here; nothing half is kept. Try again.");
}

/** `3 MB`, `1.2 GB`. */
export function sizeWords(bytes) {
  const mb = bytes / 1_000_000;
  if (mb >= 1_000) return `${(mb / 1_000).toFixed(1)} GB`;
  return mb >= 10 ? `${Math.round(mb)} MB` : `${Math.max(0.1, mb).toFixed(1)} MB`;
}
