/** Owns what an instructor's pages ask of the server: drafts, publishing, versions, people, uploads. */

import { newId } from "../client/ids.js";

const part = encodeURIComponent;

export class TeachingApi {
  #ask;

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    this.#ask = api.ask;
  }

  /** The courses one teaches: `{courses: [...]}`. */
  courses = () => this.#get("/v1/teaching/courses");

  create = (title, key) => this.#post("/v1/teaching/courses", { title }, { key });

  /** A draft and its ETag: `{body, etag}`. */
  draft = (course) => this.#ask("GET", `/v1/teaching/courses/${part(course)}`);

  /** Replaces the draft if it is still the one of `etag`; fails with 412 if not. */
  save = (course, content, etag) =>
    this.#ask("PUT", `/v1/teaching/courses/${part(course)}`, { body: content, headers: { "If-Match": etag } });

  publish = (course, etag, key) => this.#post(`/v1/teaching/courses/${part(course)}/publish`, {}, { key, headers: { "If-Match": etag } });
  versions = (course) => this.#get(`/v1/teaching/courses/${part(course)}/versions`);
  version = (course, number) => this.#get(`/v1/teaching/courses/${part(course)}/versions/${number}`);
  preview = (course) => this.#get(`/v1/teaching/courses/${part(course)}/preview`);
  people = (course) => this.#get(`/v1/teaching/courses/${part(course)}/people`);
  setRole = (course, student, role, key) => this.#post(`/v1/teaching/courses/${part(course)}/people`, { student, role }, { key });

  uploads = (course) => this.#get(`/v1/teaching/courses/${part(course)}/uploads`);
  upload = (upload) => this.#get(`/v1/teaching/uploads/${part(upload)}`);

  /** @param {{item: string, purpose: string, file_name: string, content_type: string, length_bytes: number}} of */
  beginUpload = (course, of) => this.#post(`/v1/teaching/courses/${part(course)}/uploads`, of);
  completeUpload = (upload, parts) => this.#post(`/v1/teaching/uploads/${part(upload)}/complete`, { parts });
  abortUpload = (upload) => this.#ask("DELETE", `/v1/teaching/uploads/${part(upload)}`);

  async #get(path) {
    return (await this.#ask("GET", path)).body;
  }

  async #post(path, body, { key = newId("page"), headers = {} } = {}) {
    return (await this.#ask("POST", path, { body, headers: { "Idempotency-Key": key, ...headers } })).body;
  }
}

/**
 * What a form sends, done once however often it is pressed: the same request has the same key until it is answered,
 * for an answer that was lost may have been a yes.
 * @template T @param {(...request: any[]) => Promise<T>} act  takes the key last
 * @returns {(...request: any[]) => Promise<T>}
 */
export function pressed(act) {
  let [asked, key] = [null, null];
  return async (...request) => {
    const asks = JSON.stringify(request);
    if (asks !== asked) [asked, key] = [asks, newId("page")];
    const answer = await act(...request, key);
    asked = null;
    return answer;
  };
}
