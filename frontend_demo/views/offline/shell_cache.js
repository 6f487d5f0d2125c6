/**
 * Owns the pages as this device keeps them: all files of one version in one cache, or none. A page is always made
 * of files of one version; the next version waits until nobody is using the one before.
 */

const PREFIX = "playhead-shell-";

/** Read when a PDF is shown, and kept from the first download of one. */
const LATER = "/vendor/pdfjs/";

const AT_ONCE = 6;

export class ShellCache {
  #version;
  #storage;
  #fetch;

  constructor(version, { storage = globalThis.caches, fetch = (...of) => globalThis.fetch(...of) } = {}) {
    this.#version = version;
    this.#storage = storage;
    this.#fetch = fetch;
  }

  get #name() {
    return PREFIX + this.#version;
  }

  /** Keeps every file of this version. Throws, and keeps nothing, if the server has another one by now. */
  async install() {
    const files = await this.#files();
    const had_later = await this.#anybodyHas(LATER);
    try {
      await this.#keep(files.filter(([path]) => had_later || !path.startsWith(LATER)));
    } catch (error) {
      await this.#storage.delete(this.#name);
      throw error;
    }
  }

  /** Keeps what PDFs need as well. */
  async installLater() {
    const cache = await this.#storage.open(this.#name);
    const have = new Set((await cache.keys()).map(({ url }) => new URL(url).pathname));
    await this.#keep((await this.#files()).filter(([path]) => !have.has(path)));
  }

  /** The versions before are of no use any more. */
  async activate() {
    for (const name of await this.#storage.keys()) {
      if (name.startsWith(PREFIX) && name !== this.#name) await this.#storage.delete(name);
    }
  }

  /** Whether a path is one of the pages' files. */
  static holds(path) {
    return path === "/" || path === "/favicon.ico" || /^\/(client|views|vendor)\//.test(path);
  }

  /** A file of this version; null if it is not kept. */
  async match(path) {
    return (await (await this.#storage.open(this.#name)).match(path)) ?? null;
  }

  async #files() {
    const { version, files } = await (await this.#get("/shell.json")).json();
    if (version !== this.#version) throw new Error("the pages have another version by now");
    return Object.entries(files);
  }

  async #keep(files) {
    const cache = await this.#storage.open(this.#name);
    const waiting = [...files];
    const next = async () => {
      for (let file = waiting.pop(); file; file = waiting.pop()) {
        const [path, etag] = file;
        const answer = await this.#get(path);
        // A proxy may pack what it passes on and weaken the tag by that.
        if (answer.headers.get("ETag")?.replace(/^W\//, "") !== etag) throw new Error(`${path} is of another version`);
        await cache.put(path, answer);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
  }

  async #get(path) {
    const answer = await this.#fetch(path, { cache: "no-cache" });
    if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}`);
    return answer;
  }

  async #anybodyHas(part) {
    for (const name of (await this.#storage.keys()).filter((each) => each.startsWith(PREFIX))) {
      const kept = await (await this.#storage.open(name)).keys();
      if (kept.some(({ url }) => new URL(url).pathname.startsWith(part))) return true;
    }
    return false;
  }
}
