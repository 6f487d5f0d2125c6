/**
 * Owns one WebSocket after another: hello, welcome, heartbeats both ways, and coming back (P1-P7).
 *
 * It knows messages as objects and nothing of what they mean. State:
 *   idle → connecting → online → waiting → connecting → ...    and `refused`, `stopped`, from anywhere
 */

import { Emitter } from "./emitter.js";
import { Backoff, PROVEN_MS } from "./backoff.js";
import { CLIENT_CLOSES, closeVerdict } from "./close_codes.js";
import { within } from "./time.js";

/** JSON, not msgpack: a browser parses it natively, and the wire can be read in its network panel. */
export const SUBPROTOCOL = "playhead.v1+json";

/** From asking for a ticket to `welcome`; the server gives a hello 10 s. */
const WELCOME_DEADLINE_MS = 10_000;

/** How long a probe (tab shown, network back) waits before the link is given up. */
const PROBE_MS = 2_500;

const HEARTBEAT_UNTIL_TOLD_MS = 20_000;

/** The server's clock is sampled this often, so that drift stays below what an eye can see. */
const CLOCK_SAMPLE_MS = 60_000;

/** Asking for a ticket failed for good: signing in again is needed. */
export class SignInNeeded extends Error {
  name = "SignInNeeded";
}

/**
 * Events: `state` {state, failures, verdict}, `welcome`, `message`, `sent`, `clock` {server_ms, sent_mono}.
 */
export class Connection extends Emitter {
  state = "idle";
  verdict = null;
  #credentials;
  #hello;
  #WebSocket;
  #time;
  #backoff;
  #socket = null;
  #limits = null;
  #attempt = 0;
  #heard_mono = 0;
  #ping = { n: 0, sent_mono: 0 };
  #hello_mono = 0;
  #cancels = new Map();
  #second_ticket = false;

  /**
   * @param {object} of
   * @param {() => Promise<{socket_url: string, ticket?: string, token?: string}>} of.credentials
   * @param {() => object} of.hello  the hello frame without its credentials
   */
  constructor({ credentials, hello, WebSocket, time, random }) {
    super();
    this.#credentials = credentials;
    this.#hello = hello;
    this.#WebSocket = WebSocket;
    this.#time = time;
    this.#backoff = new Backoff(random);
  }

  get online() {
    return this.state === "online";
  }

  /** Announced by `welcome`; null before. */
  get limits() {
    return this.#limits;
  }

  /** Bytes the browser has not handed to the network yet. */
  get unsent_bytes() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Begins, also after `refused` or `stopped`: the user has acted. */
  start() {
    if (this.state === "connecting" || this.state === "online") return;
    this.#backoff.reset();
    void this.#connect();
  }

  /** Ends without coming back. */
  stop() {
    this.#drop(CLIENT_CLOSES.stop);
    this.#become("stopped");
  }

  /** Ends until `start`: the user has to act. */
  refuse(verdict) {
    this.#drop(CLIENT_CLOSES.stop);
    this.#become("refused", verdict);
  }

  /** Sends one message; false when there is no link. */
  send(message) {
    if (!this.online) return false;
    this.#write(message);
    return true;
  }

  /** In doubt (tab shown, network changed): come back now, or prove that the link still holds. */
  probe() {
    if (this.state === "waiting") this.retry();
    if (!this.online) return;
    this.#sendPing();
    const asked_mono = this.#time.mono();
    this.#later("probe", PROBE_MS, () => {
      if (this.online && this.#heard_mono < asked_mono) this.#lost({ code: 4003, reason: "" });
    });
  }

  /** Come back now instead of when the wait is over; also after `refused`: the user has acted. */
  retry() {
    if (this.state === "waiting") {
      this.#backoff.reset();
      void this.#connect();
    } else if (this.state === "refused") {
      this.start();
    }
  }

  /** Says hello again on a new socket, at once: what the last one said of our clock does not hold any more. */
  renew() {
    if (this.state !== "connecting" && this.state !== "online" && this.state !== "waiting") return;
    this.#drop(CLIENT_CLOSES.stop);
    void this.#connect();
  }

  /** The tab became active: what another connection of this device replaced may come back (4505). */
  wake() {
    if (this.state === "refused" && this.verdict?.again === "when_active") this.start();
    else this.probe();
  }

  async #connect() {
    const attempt = ++this.#attempt;
    this.#clearTimers();
    this.#become("connecting");
    const deadline_mono = this.#time.mono() + WELCOME_DEADLINE_MS;
    this.#later("welcome", WELCOME_DEADLINE_MS, () => this.#lost({ code: 4003, reason: "" }));
    let credentials;
    try {
      credentials = await within(this.#time, WELCOME_DEADLINE_MS, this.#credentials(), null);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (error instanceof SignInNeeded) return this.refuse(closeVerdict(4500, ""));
      return this.#lost({ code: 1006, reason: "", retry_after_ms: error.retry_after_ms });
    }
    if (attempt !== this.#attempt || !credentials || this.#time.mono() > deadline_mono) return;
    this.#open(attempt, credentials);
  }

  #open(attempt, { socket_url, ticket, token }) {
    const socket = new this.#WebSocket(socket_url, [SUBPROTOCOL]);
    this.#socket = socket;
    const current = (act) => (event) => attempt === this.#attempt && act(event);
    socket.onopen = current(() => {
      this.#hello_mono = this.#time.mono();
      this.#write({ type: "hello", ...this.#hello(), ...(ticket ? { ticket } : { token }) });
    });
    socket.onmessage = current((event) => this.#read(event.data));
    socket.onclose = current((event) => this.#lost({ ...closeFields(event), by_ticket: Boolean(ticket) }));
  }

  #read(text) {
    this.#heard_mono = this.#time.mono();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return this.#lost({ code: CLIENT_CLOSES.unreadable, reason: "" });
    }
    if (message.type === "welcome") return this.#welcomed(message);
    if (!this.online) return;
    if (message.type === "ping") this.#write({ type: "pong", n: message.n });
    if (message.type === "pong") this.#ponged(message);
    this.emit("message", message);
  }

  #welcomed(message) {
    this.#limits = message.limits;
    this.#second_ticket = false;
    this.#clearTimers();
    this.emit("clock", { server_ms: message.server_ms, sent_mono: this.#hello_mono });
    this.#become("online");
    this.emit("welcome", message);
    this.#later("proven", PROVEN_MS, () => this.#backoff.reset());
    this.#sendPing();
    this.#sampleClock();
    this.#watch();
  }

  #sendPing() {
    this.#ping = { n: this.#ping.n + 1, sent_mono: this.#time.mono() };
    this.#write({ type: "ping", n: this.#ping.n });
  }

  #sampleClock() {
    this.#later("sample", CLOCK_SAMPLE_MS, () => {
      this.#sendPing();
      this.#sampleClock();
    });
  }

  #ponged({ n, server_ms }) {
    if (n === this.#ping.n && server_ms) this.emit("clock", { server_ms, sent_mono: this.#ping.sent_mono });
  }

  /** P6: after a silence of one heartbeat ask, after two give up. */
  #watch() {
    const beat_ms = this.#limits?.heartbeat_ms ?? HEARTBEAT_UNTIL_TOLD_MS;
    const silence_ms = this.#time.mono() - this.#heard_mono;
    if (silence_ms >= 2 * beat_ms) return this.#lost({ code: CLIENT_CLOSES.silence, reason: "" });
    if (silence_ms >= beat_ms) this.#sendPing();
    const next_ms = silence_ms >= beat_ms ? 2 * beat_ms - silence_ms : beat_ms - silence_ms;
    this.#later("watch", Math.max(50, next_ms), () => this.#watch());
  }

  #write(message) {
    this.#socket?.send(JSON.stringify(message));
    this.emit("sent", message);
  }

  #lost({ code, reason, by_ticket = false, retry_after_ms = 0 }) {
    // A ticket lives in a cache and may be lost with it, so one refused ticket is not yet a refused sign-in.
    const once_more = code === 4500 && by_ticket && this.state === "connecting" && !this.#second_ticket;
    this.#drop(CLIENT_CLOSES.silence);
    const verdict = closeVerdict(code, reason);
    if (verdict.again !== "retry" && !once_more) return this.refuse(verdict);
    if (once_more) this.#second_ticket = true;
    const told_ms = verdict.retry_after_ms;
    const wait_ms = told_ms === null ? this.#backoff.next(retry_after_ms) : this.#backoff.told(told_ms);
    this.#become("waiting", verdict);
    this.#later("retry", wait_ms, () => void this.#connect());
  }

  /** Lets go of the socket; whatever it still says belongs to an attempt that is over. */
  #drop(code) {
    this.#attempt += 1;
    this.#clearTimers();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  #become(state, verdict = null) {
    this.state = state;
    this.verdict = verdict;
    this.emit("state", { state, verdict, failures: this.#backoff.failures });
  }

  #later(name, ms, act) {
    this.#cancels.get(name)?.();
    this.#cancels.set(name, this.#time.after(ms, act));
  }

  #clearTimers() {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }
}

function closeFields(event) {
  return { code: event.code, reason: event.reason };
}
