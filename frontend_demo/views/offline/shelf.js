/**
 * Owns what this device keeps for one student: each download under an id of its own in Cache Storage, and a slip
 * (`about.json`) that is written last. What has no slip is not there: it is half a download, and is cleared away.
 */

const PREFIX = "playhead-downloads:";

/** Where kept files are asked for; nothing of the server lies there. */
export const ROOT = "/offline/";

const SLIP = "about.json";

/** The course of the item, as `putCourse` keeps it. */
export const COURSE = "course.json";

/** Taken while a download is being made, so that nobody clears it away. */
export function lockOf(id) {
  return `playhead:download:${id}`;
}

/**
 * @typedef {object} Slip
 * @property {string} id        of the download: 128 bits nobody can guess
 * @property {string} item
 * @property {string} version
 * @property {string} course
 * @property {string} kind      video, pdf or text
 * @property {string} title
 * @property {string} course_title
 * @property {string} quality   of a video: "720p"; else ""
 * @property {number} bytes
 * @property {string} at        a UTC instant
 */

export class Shelf {
  #name;
  #storage;

  /** @param {string} student @param {CacheStorage} [storage] */
  constructor(student, storage = globalThis.caches) {
    this.#name = PREFIX + student;
    this.#storage = storage;
  }

  /** Every whole download, newest first. @returns {Promise<Slip[]>} */
  async list() {
    if (!(await this.#storage.has(this.#name))) return [];
    const cache = await this.#open();
    const slips = (await cache.keys()).filter(({ url }) => new URL(url).pathname.endsWith(`/${SLIP}`));
    const found = await Promise.all(slips.map(async (slip) => (await cache.match(slip))?.json()));
    return found.filter(Boolean).sort((a, b) => (a.at < b.at ? 1 : -1));
  }

  /** The download of an item, or null. */
  async of(item) {
    return (await this.list()).find((slip) => slip.item === item) ?? null;
  }

  /** A file of a download as JSON, or null. */
  async json(id, name) {
    const found = await (await this.#open()).match(pathOf(id, name));
    return found ? found.json() : null;
  }

  /** Keeps one file; whole, or not at all. */
  async put(id, name, response) {
    await (await this.#open()).put(pathOf(id, name), response);
  }

  async putJson(id, name, value) {
    await this.put(id, name, Response.json(value));
  }

  /** Keeps what a course is, without its picture: that has a signed address, and none of those is kept. */
  async putCourse(id, course) {
    await this.putJson(id, COURSE, { ...course, poster_url: null });
  }

  /** Writes the slip: from now on the download is there. */
  async close(slip) {
    await this.putJson(slip.id, SLIP, slip);
  }

  /** Takes a download away: its slip first, so that half of it is never taken for the whole. */
  async remove(id) {
    const cache = await this.#open();
    await cache.delete(pathOf(id, SLIP));
    for (const { url } of await cache.keys()) {
      const { pathname } = new URL(url);
      if (pathname.startsWith(pathOf(id, ""))) await cache.delete(pathname);
    }
  }

  /** Clears away what was never finished and nobody is working on. */
  async tidy(locks = globalThis.navigator?.locks) {
    if (!(await this.#storage.has(this.#name))) return;
    const cache = await this.#open();
    const whole = new Set((await this.list()).map((slip) => slip.id));
    const ids = new Set((await cache.keys()).map(({ url }) => new URL(url).pathname.slice(ROOT.length).split("/")[0]));
    for (const id of ids) {
      if (whole.has(id)) continue;
      await locks.request(lockOf(id), { ifAvailable: true }, async (lock) => lock && this.remove(id));
    }
  }

  /** Takes everything of this student away. */
  async clear() {
    await this.#storage.delete(this.#name);
  }

  #open() {
    return this.#storage.open(this.#name);
  }
}

/** Where a file of a download is asked for. */
export function pathOf(id, name) {
  return `${ROOT}${id}/${name}`;
}

/** A kept file by its path, of whatever student: who knows the id was told it. */
export async function keptAt(path, storage = globalThis.caches) {
  for (const name of await storage.keys()) {
    if (!name.startsWith(PREFIX)) continue;
    const found = await (await storage.open(name)).match(path);
    if (found) return found;
  }
  return null;
}
