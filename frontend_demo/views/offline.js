/**
 * Owns the downloads of who is signed in: what is here, what is coming, and the service worker that answers for
 * it. Where a browser has no worker or no Cache Storage nothing of it is offered, and the rest of the pages works.
 */

import { Emitter } from "../client/emitter.js";
import { DownloadError, keep, planOf } from "./offline/download.js";
import { Shelf } from "./offline/shelf.js";

const WORKER = "/service_worker.js";

/** The place of what plays here is kept with the download this often: off line a reload begins there. */
const PLACE_MS = 4_000;

/** A worker that is not there after so long will not come: the shell did not come through. */
const READY_MS = 60_000;

/** Whether this browser can keep anything. */
export function canKeep() {
  return Boolean(globalThis.navigator?.serviceWorker && globalThis.caches && navigator.locks && globalThis.isSecureContext);
}

/** Events: `change`: a download has begun, come further, ended, or was deleted. */
class Downloads extends Emitter {
  #coming = new Map();
  #here = null;
  #student = null;

  /** Everything kept for this student, newest first. @returns {Promise<import("./offline/shelf.js").Slip[]>} */
  async list(student) {
    if (!canKeep() || !student) return [];
    if (this.#student !== student) [this.#student, this.#here] = [student, null];
    this.#here ??= await new Shelf(student).list();
    return this.#here;
  }

  /** What is coming now: `{item, title, fraction, problem}`, the latest first. */
  get coming() {
    return [...this.#coming.values()].reverse();
  }

  /** How an item stands: `{state: "none" | "coming" | "here", fraction, problem, slip}`. */
  async of(student, item) {
    const coming = this.#coming.get(item);
    if (coming && !coming.problem) return { state: "coming", ...coming };
    const slip = (await this.list(student)).find((each) => each.item === item);
    return { state: slip ? "here" : "none", problem: coming?.problem ?? null, slip };
  }

  /** Downloads an item, as planned by `planOf`. Resolves when it is over; never rejects. */
  async start(api, plan, quality) {
    const { id: item, title, kind } = plan.item;
    if (this.#coming.has(item) && !this.#coming.get(item).problem) return;
    const ends = new AbortController();
    const student = api.student.id;
    const coming = { item, title, fraction: 0, problem: null, cancel: () => ends.abort(new DownloadError("Cancelled.")) };
    this.#coming.set(item, coming);
    this.emit("change");
    const progress = (fraction) => ((coming.fraction = fraction), this.emit("change"));
    try {
      await workerReady(kind);
      const shelf = new Shelf(student);
      const former = await shelf.of(item);
      await keep({ api, shelf, plan, quality, signal: ends.signal, progress });
      if (former) await shelf.remove(former.id);
      followPlaces();
      this.#coming.delete(item);
    } catch (error) {
      if (ends.signal.aborted) this.#coming.delete(item);
      else coming.problem = error.message;
    }
    this.#here = null;
    this.emit("change");
  }

  /** What went wrong has been read. */
  dismiss(item) {
    this.#coming.delete(item);
    this.emit("change");
  }

  /** Deletes a download. */
  async remove(student, slip) {
    await new Shelf(student).remove(slip.id);
    this.#here = null;
    this.emit("change");
  }

  /** Deletes everything of the student, and stops what is coming. */
  async forget(student) {
    for (const coming of this.#coming.values()) coming.cancel();
    this.#coming.clear();
    await new Shelf(student).clear();
    this.#here = null;
    this.emit("change");
  }
}

/** The downloads of this page. */
export const downloads = new Downloads();

/** Who is signed in and what plays here, once the page has said it. */
let page = null;
let timer = null;

export { planOf };

/**
 * Once a visit: takes a new version of the pages if nobody else uses the old one, clears away half a download, and
 * keeps the place of what plays with its download.
 * @param {{student: () => {id: string} | null, player: () => any}} of
 */
export async function startOffline({ student, player }) {
  if (!canKeep()) return;
  page = { student, player };
  const registration = await navigator.serviceWorker.getRegistration("/").catch(() => null);
  if (!registration) return;
  takeNewVersion(registration, player);
  const who = student();
  if (who) await new Shelf(who.id).tidy();
  followPlaces();
}

function followPlaces() {
  timer ??= page && setInterval(() => void keepPlace(page.student(), page.player()), PLACE_MS);
}

/** Signing out deletes what was downloaded: it is the course's, and can be had again. The journal stays (R9). */
export async function forgetDownloads(student) {
  if (canKeep() && student) await downloads.forget(student.id);
}

/** A worker that waits takes over when this is the only page; it was loaded from the old one, so once more. */
function takeNewVersion(registration, player) {
  if (!registration.waiting || !navigator.serviceWorker.controller) return;
  navigator.serviceWorker.addEventListener("controllerchange", () => player()?.active || location.reload(), { once: true });
  registration.waiting.postMessage("alone");
}

async function keepPlace(who, player) {
  if (!who || !player?.item) return;
  const slip = (await downloads.list(who.id)).find((each) => each.item === player.item);
  if (!slip || slip.version !== player.version) return;
  const shelf = new Shelf(who.id);
  const item = await shelf.json(slip.id, "item.json");
  const { position_ms, head } = player;
  if (!item || (item.progress?.position_ms ?? 0) === position_ms) return;
  const progress = { rev: 0, coverage_ms: 0, furthest_ms: 0, content_ms: 0, done: false, ...item.progress };
  const now = { version: slip.version, position_ms, updated_at: new Date().toISOString() };
  await shelf.putJson(slip.id, "item.json", { ...item, progress: { ...progress, ...now, done: head?.done ?? progress.done } });
}

/** The worker is there, has the pages, and answers this page. */
async function workerReady(kind) {
  await navigator.serviceWorker.register(WORKER, { type: "module", scope: "/" }).catch(() => {
    throw new DownloadError("This browser cannot keep anything for off line. Everything else works as before.");
  });
  const registration = await inTime(navigator.serviceWorker.ready);
  if (!navigator.serviceWorker.controller) await inTime(new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true })));
  if (kind === "pdf") await ask(registration.active, "later");
}

async function ask(worker, what) {
  const { port1, port2 } = new MessageChannel();
  const said = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
  worker.postMessage(what, [port2]);
  const { ok, message } = await inTime(said);
  if (!ok) throw new DownloadError(`The pages cannot be kept on this device (${message}). Reload and try again.`);
}

function inTime(promise) {
  let timer;
  const late = new Promise((_, refuse) => {
    timer = setTimeout(() => refuse(new DownloadError("The pages could not be kept on this device. Reload and try again.")), READY_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
