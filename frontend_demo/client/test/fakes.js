/** Owns the surroundings of the unit tests: time that moves when told, a wire end, an element that plays. */

import { MemoryStore } from "../store.js";
import { NoLocks } from "../locks.js";
import { connect } from "../index.js";

/** Time that stands until `pass`. Timers act in order, each at its own instant. */
export class VirtualTime {
  #mono_ms = 1_000;
  #wall_ms = Date.parse("2026-03-02T19:00:00.000Z");
  #timers = [];

  mono = () => this.#mono_ms;
  wall = () => this.#wall_ms;

  after = (ms, act) => {
    const timer = { at_ms: this.#mono_ms + ms, act };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((each) => each !== timer));
  };

  /** The device's clock is set; nothing else notices. */
  stepWall(ms) {
    this.#wall_ms += ms;
  }

  /** The machine sleeps: the wall goes on, timers and the monotonic clock stand (or go on as well). */
  sleep(ms, { mono = false } = {}) {
    this.#wall_ms += ms;
    if (mono) this.#mono_ms += ms;
  }

  async pass(ms) {
    const until_ms = this.#mono_ms + ms;
    await settle();
    for (;;) {
      const due = this.#timers.filter((each) => each.at_ms <= until_ms).sort((a, b) => a.at_ms - b.at_ms)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((each) => each !== due);
      this.#move(due.at_ms);
      due.act();
      await settle();
    }
    this.#move(until_ms);
    await settle();
  }

  #move(to_ms) {
    const by_ms = Math.max(0, to_ms - this.#mono_ms);
    this.#mono_ms += by_ms;
    this.#wall_ms += by_ms;
  }
}

/** The time of one page: when the page is killed, none of its timers acts any more. */
export function mortal(time) {
  let alive = true;
  return {
    mono: time.mono,
    wall: time.wall,
    after: (ms, act) => time.after(ms, () => alive && act()),
    kill: () => (alive = false),
  };
}

/** Lets every promise that can go on, go on. */
export async function settle() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export const LIMITS = Object.freeze({
  frame_bytes: 16_384,
  events_per_message: 200,
  items_per_pull: 64,
  messages_per_s: 1_000,
  message_burst: 1_000,
  heartbeat_ms: 20_000,
  beat_ms: 10_000,
});

/**
 * The far end of the wire: accepts sockets, keeps what devices say, says what the test wants. It decides
 * nothing; with `polite` it welcomes, applies and answers pulls by itself.
 */
export class WireEnd {
  sockets = [];
  frames = [];
  entries = [];
  heads = new Map();
  applied_seq = 0;
  durable_seq = 0;
  /** With several devices on this end: a Map from device id to its applied_seq. */
  devices = null;
  /** More fields of `welcome`. */
  welcomes = {};
  epoch = 1;
  polite = true;
  on_events = () => {};
  open = true;

  constructor(time, student = "ana") {
    this.time = time;
    this.student = student;
    const end = this;
    this.WebSocket = class {
      bufferedAmount = 0;
      constructor(url, protocols) {
        Object.assign(this, { url, protocols });
        end.sockets.push(this);
        time.after(1, () => (end.open ? this.onopen?.({}) : this.onclose?.({ code: 1006, reason: "" })));
      }
      send(text) {
        end.hear(this, JSON.parse(text));
      }
      close(code) {
        this.closed = code;
      }
    };
  }

  get socket() {
    return this.sockets.at(-1);
  }

  say(message, socket = this.socket) {
    if (!socket.closed) socket.onmessage?.({ data: JSON.stringify(message) });
  }

  close(code, reason = {}) {
    this.socket.onclose?.({ code, reason: JSON.stringify(reason) });
  }

  /** A head of `item` with sensible rest. */
  head(item, fields) {
    const head = {
      type: "head", item, version: "v1", rev: 1, position_ms: 0, duration_ms: 600_000, playing: false, rate: 1,
      as_of_ms: this.time.wall(), device: "tv", device_name: "TV", device_kind: "tv", rule: "R2", pass: 1,
      epoch: 1, done: false, coverage_ms: 0, furthest_ms: 0, content_ms: 0, candidate: null, ...fields,
    };
    this.heads.set(item, head);
    return head;
  }

  push(item, fields) {
    this.say(this.head(item, fields));
  }

  hear(socket, message) {
    this.frames.push(message);
    if (message.type === "events") {
      this.entries.push(...message.events);
      this.on_events(message.events);
    }
    if (!this.polite) return;
    if (message.type === "hello") this.welcome(socket, message);
    if (message.type === "ping") this.say({ type: "pong", n: message.n, server_ms: this.time.wall() }, socket);
    if (message.type === "events") {
      const seq = Math.max(this.devices?.get(socket.device) ?? (this.devices ? 0 : this.applied_seq), message.events.at(-1).seq);
      if (this.devices) this.devices.set(socket.device, seq);
      else this.applied_seq = seq;
      this.say({ type: "applied", seq }, socket);
    }
    if (message.type === "pull") this.answer(message.items, socket);
  }

  welcome(socket = this.socket, hello = this.frames.findLast((each) => each.type === "hello")) {
    socket.device = hello.device.id;
    const applied_seq = this.devices ? (this.devices.get(socket.device) ?? 0) : this.applied_seq;
    this.say({
      type: "welcome", student: this.student, device: hello.device.id, epoch: this.epoch,
      applied_seq, durable_seq: this.durable_seq, server_ms: this.time.wall(), limits: LIMITS,
      protocol: "playhead.v1", ...this.welcomes,
    }, socket);
  }

  answer(items, socket) {
    for (const item of items) this.say(this.heads.get(item) ?? this.nothingYet(item), socket);
  }

  nothingYet(item) {
    return { ...this.head(item, { rev: 0, device: "", device_name: "" }) };
  }

  durable(seq) {
    this.durable_seq = seq;
    this.say({ type: "durable", seq });
  }

  kinds() {
    return this.entries.map((each) => each.kind);
  }
}

/** A media element: plays on virtual time once `play` was called and it has data. */
export class FakeVideo extends EventTarget {
  paused = true;
  seeking = false;
  ended = false;
  readyState = 4;
  playbackRate = 1;
  refuses = null;
  #time;
  #at_s = 0;
  #since_mono = null;
  #cancelEnd = () => {};

  constructor(time, duration_s = 600) {
    super();
    this.#time = time;
    this.duration = duration_s;
  }

  get currentTime() {
    if (this.#since_mono === null) return this.#at_s;
    const gone_s = ((this.#time.mono() - this.#since_mono) / 1000) * this.playbackRate;
    return Math.min(this.duration, this.#at_s + gone_s);
  }

  set currentTime(to_s) {
    this.#hold();
    this.#at_s = to_s;
    this.ended = false;
    this.seeking = true;
    this.#say("seeking");
    this.#time.after(20, () => {
      this.seeking = false;
      if (!this.paused) this.#run();
      this.#say("seeked");
    });
  }

  async play() {
    if (this.refuses) throw this.refuses;
    if (!this.paused) return;
    this.paused = false;
    this.#say("play");
    this.#time.after(30, () => {
      if (this.paused || this.seeking) return;
      this.#run();
      this.#say("playing");
    });
  }

  pause() {
    if (this.paused) return;
    this.#hold();
    this.paused = true;
    this.#say("pause");
  }

  /** The buffer runs dry. */
  starve() {
    this.#hold();
    this.readyState = 2;
    this.#say("waiting");
  }

  feed() {
    this.readyState = 4;
    this.#run();
    this.#say("playing");
  }

  /** Says nothing and stands still. */
  freeze() {
    this.#hold();
  }

  /** ... and moves on, without a word either. */
  thaw() {
    this.#run();
  }

  setRate(rate) {
    this.#hold();
    this.playbackRate = rate;
    this.#run();
    this.#say("ratechange");
  }

  #run() {
    this.#cancelEnd();
    this.#since_mono = this.#time.mono();
    const left_ms = ((this.duration - this.#at_s) / this.playbackRate) * 1000;
    this.#cancelEnd = this.#time.after(left_ms, () => this.#end());
  }

  #end() {
    this.#hold();
    this.#at_s = this.duration;
    this.paused = true;
    this.ended = true;
    this.#say("pause");
    this.#say("ended");
  }

  #hold() {
    this.#at_s = this.currentTime;
    this.#since_mono = null;
    this.#cancelEnd();
  }

  #say(name) {
    // The element tells in a later task, as browsers do.
    this.#time.after(0, () => this.dispatchEvent(new Event(name)));
  }
}

/** localStorage, enough of it. */
export class FakeStorage {
  #rows = new Map();

  get length() {
    return this.#rows.size;
  }

  key(index) {
    return [...this.#rows.keys()][index] ?? null;
  }

  getItem(key) {
    return this.#rows.get(key) ?? null;
  }

  setItem(key, value) {
    this.#rows.set(key, String(value));
  }

  removeItem(key) {
    this.#rows.delete(key);
  }
}

/** Locks shared by the tabs of one browser. `steal` is what a browser does to a page it has frozen. */
export class TabLocks {
  #holders = new Map();

  async take(name) {
    if (this.#holders.has(name)) return null;
    const claim = {};
    this.#holders.set(name, claim);
    const held = () => this.#holders.get(name) === claim;
    return Object.assign(() => held() && this.#holders.delete(name), { held });
  }

  steal(name) {
    this.#holders.delete(name);
  }
}

/** A page's window and document, enough of them. */
export function fakePage() {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const tell = (target, name, fields = {}) => target.dispatchEvent(Object.assign(new Event(name), fields));
  return {
    window,
    document,
    hide: () => ((document.visibilityState = "hidden"), tell(document, "visibilitychange")),
    show: () => ((document.visibilityState = "visible"), tell(document, "visibilitychange")),
    freeze: () => tell(document, "freeze"),
    pagehide: () => tell(window, "pagehide", { persisted: true }),
    pageshow: () => tell(window, "pageshow", { persisted: true }),
    online: () => tell(window, "online"),
  };
}

/** A connected client on a wire end of its own. */
export async function clientOn(time, end, { student = "ana", store = new MemoryStore(), ...parts } = {}, world = time) {
  const client = await connect({
    student,
    tickets: async (device) => ({ ticket: `ticket-of-${device}`, socket_url: "ws://test/v1/socket" }),
    device: { kind: "phone", name: "Phone" },
    parts: {
      time, store, random: () => 0.5, WebSocket: end.WebSocket, locks: new NoLocks(), session: new FakeStorage(),
      spillStorage: new FakeStorage(), page: { window: null, document: null }, ...parts,
    },
  });
  await world.pass(10);
  return client;
}
