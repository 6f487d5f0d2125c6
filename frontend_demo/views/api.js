/** Owns the HTTP side: who is signed in, tokens and their renewal, and one function per thing a page reads. */

import { SignInNeeded } from "../client/index.js";
import { namespace, recall, remember } from "./place.js";


const DEADLINE_MS = 15_000;

/** Renewed this long before the access token ends. */
const EARLY_MS = 60_000;

/** The times in the server's sentences are this screen's. */
const ZONE = `zone=${encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC")}`;

/** The server said no, or nothing: `status` 0 means that it could not be reached. */
export class ApiError extends Error {
  name = "ApiError";

  constructor(status, message, retry_after_ms = 0) {
    super(message);
    this.status = status;
    this.retry_after_ms = retry_after_ms;
  }
}

export class Api {
  #key;
  #session;
  #refreshing = null;

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
    this.#keep(await this.#call("POST", "/v1/sign-in", { body: { code } }));
  }

  /** Forgets the tokens; journals stay, sealed to their student (R9). */
  signOut() {
    this.#session = null;
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

  /** Every course of the student, all pages of the list. */
  async courses() {
    const found = [];
    let after = "";
    do {
      const page = await this.#signed("GET", `/v1/courses?limit=50&after=${encodeURIComponent(after)}`);
      found.push(...page.courses);
      after = page.next;
    } while (after && found.length < 500);
    return found;
  }

  course = (id) => this.#signed("GET", `/v1/courses/${encodeURIComponent(id)}`);
  item = (id) => this.#signed("GET", `/v1/items/${encodeURIComponent(id)}`);
  media = (id) => this.#signed("GET", `/v1/items/${encodeURIComponent(id)}/media`);

  /** Changes of an item's head, newest first: `{item, changes, next}`. */
  history(id, { before = null, limit = 20 } = {}) {
    const from = before === null ? "" : `&before=${before}`;
    return this.#signed("GET", `/v1/progress/${encodeURIComponent(id)}/history?${ZONE}&limit=${limit}${from}`);
  }

  /** Why the head of an item is where it is, or was at `at` (a UTC instant). */
  explain(id, at = null) {
    const when = at === null ? "" : `&at=${encodeURIComponent(at)}`;
    return this.#signed("GET", `/v1/progress/${encodeURIComponent(id)}/explain?${ZONE}${when}`);
  }

  async #signed(method, path, body) {
    if (!this.#session) throw new SignInNeeded("Nobody is signed in.");
    if (Date.now() > this.#session.ends_ms - EARLY_MS) await this.#refresh();
    try {
      return await this.#call(method, path, { body, token: this.#session.access_token });
    } catch (error) {
      if (error.status !== 401) throw error;
      await this.#refresh();
      return this.#call(method, path, { body, token: this.#session.access_token });
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
      this.#keep(await this.#call("POST", "/v1/token/refresh", { body: { refresh_token } }));
    } catch (error) {
      if (error.status !== 401 && error.status !== 400) throw error;
      throw new SignInNeeded("The sign-in has ended.");
    }
  }

  #keep({ access_token, refresh_token, expires_in_s, student }) {
    this.#session = { access_token, refresh_token, student, ends_ms: Date.now() + expires_in_s * 1000 };
    remember(this.#key, JSON.stringify(this.#session));
  }

  async #call(method, path, { body, token } = {}) {
    const headers = { Accept: "application/json" };
    if (body) headers["Content-Type"] = "application/json";
    if (token) headers.Authorization = `Bearer ${token}`;
    const request = { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(DEADLINE_MS) };
    let response;
    try {
      response = await fetch(path, request);
    } catch {
      throw new ApiError(0, "The server cannot be reached.");
    }
    if (!response.ok) throw await problem(response);
    return response.json();
  }
}

async function problem(response) {
  const said = await response.json().catch(() => ({}));
  const wait_s = Number(response.headers.get("Retry-After"));
  const message = said.detail || said.title || `The server answered ${response.status}.`;
  return new ApiError(response.status, message, Number.isFinite(wait_s) ? wait_s * 1000 : 0);
}
