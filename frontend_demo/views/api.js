/** Owns the HTTP side: who is signed in, tokens and their renewal, and one function per thing a page reads or does. */

import { SignInNeeded } from "../client/index.js";
import { namespace, recall, remember } from "./place.js";
import { newId } from "../client/ids.js";

const DEADLINE_MS = 15_000;

/** Renewed this long before the access token ends. */
const EARLY_MS = 60_000;

/** The times in the server's sentences are this screen's. */
const ZONE = `zone=${encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC")}`;

/** The server said no, or nothing: `status` 0 means that it could not be reached. */
export class ApiError extends Error {
  name = "ApiError";

  constructor(status, message, { retry_after_ms = 0, code = "" } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.retry_after_ms = retry_after_ms;
  }
}

/** A part of a path. */
const part = encodeURIComponent;

export class Api {
  #key;
  #session;
  #refreshing = null;
  #me = null;

  /** @param {string} of  the namespace whose sign-in it uses */
  constructor(of = namespace) {
    this.#key = `${of}:sign-in`;
    this.#session = JSON.parse(recall(this.#key) ?? "null");
  }

  /** Who is signed in: `{id, name}` or null. */
  get student() {
    return this.#session?.student ?? null;
  }

  /** Exchanges the code of a sign-in link. */
  async signIn(code) {
    this.#me = null;
    this.#keep((await this.#call("POST", "/v1/sign-in", { body: { code } })).body);
  }

  /** Forgets the tokens; journals stay, sealed to their student (R9). */
  signOut() {
    this.#session = this.#me = null;
    remember(this.#key, null);
  }

  /** Takes what another tab did to the sign-in, and tells who is signed in now: `{id, name}` or null. */
  followOtherTabs(changed) {
    window.addEventListener("storage", ({ key, newValue }) => {
      if (key !== this.#key) return;
      this.#session = JSON.parse(newValue ?? "null");
      changed(this.student);
    });
  }

  /** A one-time ticket for the socket, as `connect` wants it. */
  tickets = (device_id) => this.#signed("POST", "/v1/tickets", { device_id });

  /** Who is here and what they may do: `{id, name, may_teach, subscription}`; asked once a visit. */
  me() {
    this.#me ??= this.#signed("GET", "/v1/me").catch((error) => {
      this.#me = null;
      throw error;
    });
    return this.#me;
  }

  /** Every course of the student, all pages of the list. */
  async courses() {
    const found = [];
    let after = "";
    do {
      const page = await this.#signed("GET", `/v1/courses?limit=50&after=${part(after)}`);
      found.push(...page.courses);
      after = page.next;
    } while (after && found.length < 500);
    return found;
  }

  course = (id) => this.#signed("GET", `/v1/courses/${part(id)}`);
  item = (id) => this.#signed("GET", `/v1/items/${part(id)}`);
  media = (id) => this.#signed("GET", `/v1/items/${part(id)}/media`);
  document = (id) => this.#signed("GET", `/v1/items/${part(id)}/document`);
  /** How well something played; `keepalive`: the page goes away. */
  experience = (events, { keepalive = false } = {}) => this.#signed("POST", "/v1/experience", { events }, { keepalive });

  /** A page of the catalogue. `wanted`: q, category, difficulty, language, duration, after, limit; empty ones are left out. */
  catalogue(wanted, signal) {
    const asked = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
    return this.#signed("GET", `/v1/catalogue?${asked}`, undefined, { signal });
  }

  /** Courses whose words begin as `q` does: `{courses: [{id, title}]}`. */
  complete = (q, signal) => this.#signed("GET", `/v1/catalogue/complete?q=${part(q)}`, undefined, { signal });
  catalogueCourse = (id) => this.#signed("GET", `/v1/catalogue/${part(id)}`);
  enrol = (id) => this.#keyed("POST", `/v1/courses/${part(id)}/enrolment`, {});
  leave = (id) => this.#signed("DELETE", `/v1/courses/${part(id)}/enrolment`);

  /**
   * Asks for anything else, as who is signed in.
   * @param {{body?: any, headers?: Record<string, string>, signal?: AbortSignal}} [how]
   * @returns {Promise<{body: any, etag: string | null}>}
   */
  ask = (method, path, how) => this.#exchange(method, path, how);

  /** Changes of an item's head, newest first: `{item, changes, next}`. */
  history(id, { before = null, limit = 20 } = {}) {
    const from = before === null ? "" : `&before=${before}`;
    return this.#signed("GET", `/v1/progress/${part(id)}/history?${ZONE}&limit=${limit}${from}`);
  }

  /** Why the head of an item is where it is, or was at `at` (a UTC instant). */
  explain(id, at = null) {
    const when = at === null ? "" : `&at=${part(at)}`;
    return this.#signed("GET", `/v1/progress/${part(id)}/explain?${ZONE}${when}`);
  }

  async #signed(method, path, body, how) {
    return (await this.#exchange(method, path, { ...how, body })).body;
  }

  /** Done once, however often it is sent: a retry carries the same key. */
  #keyed(method, path, body) {
    return this.#signed(method, path, body, { headers: { "Idempotency-Key": newId("page") } });
  }

  async #exchange(method, path, how) {
    if (!this.#session) throw new SignInNeeded("Nobody is signed in.");
    if (Date.now() > this.#session.ends_ms - EARLY_MS) await this.#refresh().catch(offLine);
    try {
      return await this.#call(method, path, { ...how, token: this.#session.access_token });
    } catch (error) {
      if (error.status !== 401) throw error;
      await this.#refresh();
      return this.#call(method, path, { ...how, token: this.#session.access_token });
    }
  }

  /** One renewal at a time, however many calls want it. */
  #refresh() {
    this.#refreshing ??= this.#renew().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #renew() {
    const { refresh_token } = this.#session ?? {};
    try {
      this.#keep((await this.#call("POST", "/v1/token/refresh", { body: { refresh_token } })).body);
    } catch (error) {
      if (error.status !== 401 && error.status !== 400) throw error;
      throw new SignInNeeded("The sign-in has ended.");
    }
  }

  #keep({ access_token, refresh_token, expires_in_s, student }) {
    this.#session = { access_token, refresh_token, student, ends_ms: Date.now() + expires_in_s * 1000 };
    remember(this.#key, JSON.stringify(this.#session));
  }

  async #call(method, path, { body, token, headers: more, signal, keepalive = false } = {}) {
    const headers = { Accept: "application/json", ...more };
    if (body) headers["Content-Type"] = "application/json";
    if (token) headers.Authorization = `Bearer ${token}`;
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    const ends = signal ? AbortSignal.any([signal, deadline]) : deadline;
    const request = { method, headers, body: body && JSON.stringify(body), signal: ends, keepalive };
    let response;
    try {
      response = await fetch(path, request);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, "The server cannot be reached.");
    }
    if (!response.ok) throw await problem(response);
    const said = response.status === 204 ? null : await response.json();
    return { body: said, etag: response.headers.get("ETag") };
  }
}

/** Off line, or from a server in trouble, nothing is renewed; what is kept on this device is answered all the same. */
function offLine(error) {
  if (error.status !== 0 && !(error.status >= 500)) throw error;
}

async function problem(response) {
  const said = await response.json().catch(() => ({}));
  const wait_s = Number(response.headers.get("Retry-After"));
  const message = said.detail || said.title || `The server answered ${response.status}.`;
  const retry_after_ms = Number.isFinite(wait_s) ? wait_s * 1000 : 0;
  return new ApiError(response.status, message, { retry_after_ms, code: said.code });
}
