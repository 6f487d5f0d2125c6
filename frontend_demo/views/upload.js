/**
 * Owns one file on its way up: several parts at once straight to the object store, what failed again, paused and
 * gone on with, and then what the server makes of it, until it is ready or has failed.
 */

import { Emitter } from "../client/emitter.js";
import { Parts } from "./upload_parts.js";

/** Parts under way at once. */
const LANES = 3;

const RETRY_MS = [1_000, 3_000, 8_000, 20_000];

/** Failures, one after the other and twenty seconds apart in the end, after which it waits for a person. */
const GIVE_UP = 40;

/** Addresses run out; one that is refused as often as this, one after the other, was never good. */
const STALE_MAX = 9;

/** How often the server is asked how far it is. */
const LOOK_MS = 1_500;

/** Names of files browsers know no type of. */
const TYPES = { pdf: "application/pdf", vtt: "text/vtt", mp4: "video/mp4", mov: "video/quicktime", webm: "video/webm", mkv: "video/x-matroska" };

/**
 * `state`: `sending`, `paused`, `waiting` (for the network; goes on by itself), `processing`, `ready`, `failed`,
 * `aborted`, or `interrupted` (begun on another visit: needs the file again). Emits `change`, and `ready` once.
 */
export class Upload extends Emitter {
  state = "sending";
  /** What the server has done of it, 0 to 1. */
  fraction = 0;
  /** Why it failed or waits, for people. */
  reason = "";
  id = null;
  version = null;
  key = null;
  #teaching;
  #parts = null;
  #file = null;
  #requests = new Set();
  #lanes = 0;
  #is_asking = false;
  #content_type = "";
  #failures = 0;
  #timer = null;
  #resting = false;

  /**
   * @param {import("./teaching_api.js").TeachingApi} teaching
   * @param {{course: string, item: string | null, purpose: string, file_name: string, length_bytes: number}} of
   */
  constructor(teaching, { course, item, purpose, file_name, length_bytes }) {
    super();
    this.#teaching = teaching;
    Object.assign(this, { course, item, purpose, file_name, length_bytes });
  }

  /** A new one. `more`: language and label of captions. */
  static begin(teaching, { course, item, purpose, file, ...more }) {
    const upload = new Upload(teaching, { course, item, purpose, file_name: file.name, length_bytes: file.size });
    void upload.#begin(file, more);
    return upload;
  }

  /** One the server knows from another visit. */
  static known(teaching, course, said) {
    const upload = new Upload(teaching, { course, ...said });
    upload.id = said.upload;
    upload.#heard(said);
    if (said.state === "uploading") upload.state = "interrupted";
    if (said.state === "processing") upload.#lookLater();
    return upload;
  }

  /** Bytes that are there. */
  get sent_bytes() {
    return this.#parts?.sent_bytes ?? 0;
  }

  get is_sending() {
    return this.state === "sending" || this.state === "waiting";
  }

  /** Whether `file` is the one this upload was begun with, as far as its name and length tell. */
  fits(file) {
    return file.name === this.file_name && file.size === this.length_bytes;
  }

  pause() {
    this.reason = "";
    this.#halt();
    this.#become("paused");
  }

  /** Goes on after a pause, or on another visit with the file picked again. */
  async resume(file = this.#file) {
    this.#file = file;
    this.#become("sending");
    // Paused before the server had answered: what began it goes on.
    if (!this.id) return;
    try {
      this.#heard(await this.#teaching.upload(this.id));
    } catch (error) {
      return this.#trouble(error);
    }
    this.#fill();
    if (this.state === "processing") this.#lookLater();
  }

  async cancel() {
    this.#halt();
    this.#become("aborted");
    if (this.id) await this.#teaching.abortUpload(this.id).catch(() => {});
  }

  /** Stops asking: the page that shows it is left. A file that is being sent goes on. */
  rest() {
    if (this.state !== "processing") return;
    // An answer under way must not ask on.
    this.#resting = true;
    clearTimeout(this.#timer);
  }

  /** Asks again how far it is. */
  wake() {
    this.#resting = false;
    if (this.state === "processing") this.#lookLater(0);
  }

  async #begin(file, more) {
    this.#file = file;
    const content_type = file.type || TYPES[file.name.split(".").at(-1).toLowerCase()] || "application/octet-stream";
    const wanted = { purpose: this.purpose, file_name: file.name, content_type, length_bytes: file.size, ...more };
    try {
      const said = await this.#teaching.beginUpload(this.course, this.item ? { item: this.item, ...wanted } : wanted);
      this.id = said.upload;
      if (this.state === "aborted") return void (await this.#teaching.abortUpload(this.id).catch(() => {}));
      this.#heard(said);
      this.#fill();
    } catch (error) {
      this.reason = error.message;
      this.#become("failed");
    }
  }

  #heard(said) {
    if (said.part_bytes) this.#parts ??= new Parts({ length_bytes: this.length_bytes, part_bytes: said.part_bytes });
    this.#parts?.heard(said);
    this.#content_type = said.content_type ?? this.#content_type;
    Object.assign(this, { fraction: said.fraction ?? 0, reason: said.reason ?? "", version: said.version ?? null, key: said.key ?? null });
    if (said.state === "uploading") return this.emit("change");
    if (said.state !== this.state) return this.#become(said.state);
    this.emit("change");
  }

  /** Keeps the lanes full; when nothing is left to send, says so. */
  #fill() {
    while (this.state === "sending" && this.#lanes < LANES) {
      const part = this.#parts.take();
      if (!part) break;
      this.#lanes += 1;
      void this.#send(part);
    }
    if (this.state !== "sending") return;
    if (this.#parts.needs_urls) void this.#askAddresses();
    else if (this.#parts.is_complete && this.#lanes === 0) void this.#complete();
  }

  /** The server gives addresses for the next parts only, and they run out. */
  async #askAddresses() {
    if (this.#is_asking) return;
    this.#is_asking = true;
    try {
      this.#heard(await this.#teaching.upload(this.id));
      // None for what is missing: a pause, not a storm.
      if (this.#parts.needs_urls && this.#lanes === 0) throw Object.assign(new Error("The store has no room for it now."), { status: 0 });
    } catch (error) {
      return this.#trouble(error);
    } finally {
      this.#is_asking = false;
    }
    this.#fill();
  }

  async #send({ number, url, from, to }) {
    const request = new XMLHttpRequest();
    this.#requests.add(request);
    try {
      const etag = await put(request, url, this.#file.slice(from, to, this.#content_type), (bytes) => {
        this.#parts.progress(number, bytes);
        this.emit("change");
      });
      this.#parts.arrived(number, etag);
      this.#failures = 0;
      this.emit("change");
    } catch (error) {
      const stale = error.status === 403 && (this.#failures += 1) < STALE_MAX;
      this.#parts.failed(number, { stale });
      if (!stale && this.state === "sending") this.#trouble(error);
    } finally {
      this.#requests.delete(request);
      this.#lanes -= 1;
    }
    this.#fill();
  }

  async #complete() {
    this.#lanes += 1;
    try {
      const said = await this.#teaching.completeUpload(this.id, this.#parts.list);
      this.#become("processing");
      this.#heard(said);
      if (this.state === "processing") this.#lookLater();
    } catch (error) {
      // The store does not have what this page believes to have sent: what it has is asked again.
      if (error.code === "parts_missing") this.#parts = null;
      this.#trouble(error);
    } finally {
      this.#lanes -= 1;
    }
  }

  async #look() {
    try {
      this.#heard(await this.#teaching.upload(this.id));
    } catch (error) {
      if (error.status === 404) return this.#become("aborted");
    }
    if (this.state === "processing") this.#lookLater();
  }

  #lookLater(ms = LOOK_MS) {
    clearTimeout(this.#timer);
    if (this.#resting) return;
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  /** Waits and tries again, while parts under way go on; what the server refuses for good has failed. */
  #trouble(error) {
    // An error without a status is none of the network: nobody is signed in any more, or this page is wrong.
    const is_final = error.status === undefined || (error.status >= 400 && error.status < 500 && ![408, 409, 425, 429].includes(error.status));
    this.reason = error.message;
    clearTimeout(this.#timer);
    if (is_final) {
      this.#halt();
      return this.#become("failed");
    }
    // What is there stays there: who presses "Go on" begins where it was, with patience anew.
    if (this.#failures > GIVE_UP) {
      this.#failures = 0;
      this.#halt();
      return this.#become("paused");
    }
    const wait_ms = error.retry_after_ms || RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
    this.#failures += 1;
    this.#become("waiting");
    this.#timer = setTimeout(() => void this.resume(), wait_ms);
  }

  #halt() {
    clearTimeout(this.#timer);
    for (const request of this.#requests) request.abort();
  }

  #become(state) {
    if (this.state === "aborted") return;
    this.state = state;
    this.emit("change");
    if (state === "ready") this.emit("ready", this);
  }
}

/** Sends bytes, with the type they were announced as, and tells how many are gone; gives the ETag of the part. */
function put(request, url, bytes, progress) {
  return new Promise((resolve, reject) => {
    const fail = (status, message) => reject(Object.assign(new Error(message), { status }));
    request.upload.addEventListener("progress", ({ loaded }) => progress(loaded));
    request.addEventListener("load", () => {
      const etag = request.getResponseHeader("ETag");
      if (request.status >= 200 && request.status < 300 && etag) return resolve(etag);
      fail(request.status >= 500 ? 0 : request.status, `The store answered ${request.status}.`);
    });
    request.addEventListener("error", () => fail(0, "The file does not come through."));
    request.addEventListener("abort", () => fail(0, "Stopped."));
    request.open("PUT", url);
    request.send(bytes);
  });
}
