/**
 * Owns one signed-in student on one device: the journal, the link, the heads, and the players that use them.
 */

import { Answers } from "./answers.js";
import { Boot } from "./boot.js";
import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { Heads } from "./heads.js";
import { MediaQuestions } from "./media.js";
import { Outbox, isRefusedChunk } from "./outbox.js";
import { Player } from "./player.js";
import { Reader } from "./reader.js";
import { ServerClock } from "./clock.js";
import { Tabs } from "./tabs.js";
import { newId } from "./ids.js";
import { savedness } from "./savedness.js";

export const CLIENT_NAME = "playhead-js/0.2.0";

/** Items asked for at once, until `welcome` states the limit. */
const ITEMS_PER_PULL = 64;

/** A server that is busy may ask for a wait; the student is told "offline" if it is longer than this. */
const AWAY_AFTER_MS = 2_000;

/**
 * Events:
 * - `state` {state, unsaved_ms, entries, since}: how safe the student's minutes are (savedness.js)
 * - `status` {status, reason}: `connecting`, `online`, `offline`, `refused`
 * - `saving` {entries, unsaved_ms}: something is not durable yet; `saved` {}: everything is (P26)
 * - `head` {head, fresh}: the server told a head; `fresh` is false if it was known
 * - `baton` {item, device, device_name, device_kind, mine, playing}: it changed hands, or stopped or started
 * - `nearby` {item, device, device_name, device_kind, state, position_ms}: another player started or stopped; a
 *   hint that no head shows yet
 * - `clock` {wrong, offset_ms}: this device's clock is off, by so much; the student loses nothing by it
 * - `rejected` {seq, code, message}: an event was refused for good
 * - `degraded` {durability}: the disk refuses and the journal lives in memory, or it takes again
 * - `device` {device}: this tab is another device from now on
 * - `wire` {way, type, ...}: every message, without secrets, for people who watch
 */
export class Client extends Emitter {
  clock_state = Object.freeze({ wrong: false, offset_ms: 0 });
  #sit;
  #seat = null;
  #sitting = null;
  #unseated = [];
  #journal;
  #connection;
  #outbox;
  #courier;
  #delivering = false;
  #tabs;
  #end;
  #boot;
  #waking = false;
  #answers = new Answers(this);
  #media;
  #followed = new Set();
  #players = new Set();
  #pulls = new Map();
  #nearby = new Map();
  #state = null;
  #cut = false;
  #away = false;
  #over = false;

  /**
   * @param {object} of
   * @param {() => Promise<Seat>} of.sit  claims a device id and opens its journal
   * @param {Seat} of.seat  the first one
   * @param {(own: string) => Promise<unknown>} of.courier  delivers the journals that other tabs left
   *
   * @typedef {{device: object, journal: import("./journal.js").Journal, held: () => boolean,
   *            release: () => void}} Seat
   */
  constructor({ student, sit, seat, link, courier, channel = null, end = () => {} }) {
    super();
    this.student = student;
    this.time = link.time;
    this.clock = new ServerClock(link.time);
    this.heads = new Heads(this.clock);
    this.status = "connecting";
    this.#boot = new Boot(link.time);
    this.#sit = sit;
    this.#courier = courier;
    this.#end = end;
    this.#connection = new Connection({
      ...link,
      credentials: () => link.credentials(this.device.id),
      hello: () => this.hello(this.device),
    });
    this.#media = new MediaQuestions((message) => this.#connection.send(message), link.time);
    this.#tabs = new Tabs({ time: link.time, make: channel, look: () => this.#deliverLeft() });
    this.#listen();
    this.#take(seat);
  }

  get online() {
    return this.status === "online";
  }

  /** Everything up to it is in the server's memory; goes back when a shard starts anew (P27). */
  get applied_seq() {
    return this.#outbox.applied_seq;
  }

  /** What the server accepts; null before the first `welcome`. */
  get limits() {
    return this.#connection.limits;
  }

  /** How safe the student's minutes are, in one word and two numbers. @returns {import("./savedness.js").State} */
  get state() {
    return this.#state;
  }

  /** What another device's player last said of itself, if no head has come since; else null. */
  nearby(item) {
    return this.#nearby.get(item) ?? null;
  }

  /** Where the journal lives: `indexeddb`, `localstorage`, or `memory`, which survives nothing. */
  get durability() {
    return this.#journal.durability;
  }

  /** What is not durable yet: number of entries and content ms in them. */
  get unsaved() {
    return { entries: this.#journal.length, unsaved_ms: this.#journal.unsaved_ms };
  }

  /** Connects; also after `refused`, when the user has acted. */
  start() {
    this.#cut = false;
    if (this.#seat) this.#connection.start();
    else this.wake();
  }

  /** "Try now": does not wait for the next attempt; also after `refused`, when the user has acted. */
  retryNow() {
    if (this.#cut || !this.#seat) this.start();
    else this.#connection.retry();
  }

  /** Cuts the link and stays away until `start`, like a flight mode: everything goes to the journal. */
  cut() {
    this.#cut = true;
    this.#connection.stop();
    this.#outbox.shut();
    this.#say("offline", null);
  }

  /** Ends: players leave, the link closes, the device id is free for another tab. */
  async close() {
    for (const player of [...this.#players]) player.detach();
    this.#answers.leave();
    this.#over = true;
    await this.#journal.settled();
    this.#standUp();
    this.#end();
    this.silence();
  }

  /** Binds a media element to an item. @returns {Player} */
  attach(video, options) {
    const player = new Player(video, this, options);
    this.#players.add(player);
    return player;
  }

  /** Binds a page that shows a document to an item. @returns {Reader} */
  read(options) {
    const reader = new Reader(this, options);
    this.#players.add(reader);
    return reader;
  }

  /** A player or a reader has let go. */
  forgetPlayer(player) {
    this.#players.delete(player);
  }

  /** Wants the heads of these items now and after every reconnect. */
  follow(items) {
    const fresh = items.filter((item) => !this.#followed.has(item));
    for (const item of fresh) this.#followed.add(item);
    this.#askFor(fresh);
  }

  /** Asks for the head of one item, behind everything written so far. Resolves with the head; never rejects. */
  async pull(item) {
    await this.#journal.settled();
    this.#outbox.pump();
    const answer = new Promise((resolve) => {
      if (!this.#pulls.has(item)) this.#pulls.set(item, []);
      this.#pulls.get(item).push(resolve);
    });
    this.#connection.send({ type: "pull", items: [item] });
    return answer;
  }

  /**
   * Asks how to play an item: addresses that are good for `expires_in_s`, to be asked for again after
   * `renew_at_s` (both from the answer on), and before a play that follows a long pause. Resolves with what
   * `GET /v1/items/{item}/media` gives; rejects with `status`: 404 refused, 503 busy, 0 no link or no answer.
   */
  media(item) {
    return this.#media.ask(item);
  }

  /** Marks an item done, or not, that no player has open: a visit of its own. */
  mark(item, version, done) {
    const base_rev = this.heads.rev(item);
    this.record({ session: newId("visit"), item, version, base_rev, kind: "marked", done });
  }

  /** Answers one question of a quiz. Throws RangeError for what no server takes. */
  answer(item, version, question, value) {
    this.#answers.answer(item, version, question, value);
  }

  /** Hands the attempt at a quiz in; answers after that are refused. */
  submit(item, version) {
    this.#answers.submit(item, version);
  }

  /**
   * Writes an event to the journal, stamped with `at_mono` or now; it is sent when the disk has it. Returns its
   * seq in a box: until this tab is a device (again), it has none.
   */
  record(fields, at_mono = this.time.mono()) {
    this.#lookAround();
    const event = this.#stamped(fields, at_mono);
    const entry = { seq: Infinity };
    if (this.#seat) entry.seq = this.#journal.append(event).seq;
    else this.#unseated.push({ event, entry });
    return entry;
  }

  /** Notes what is being played at `at_mono`, on disk only. */
  note(fields, at_mono) {
    this.#lookAround();
    if (this.#seat) this.#journal.note(this.#stamped(fields, at_mono));
    this.#sayState();
  }

  /** Says that a player is there and does not play; moves nothing (R1). */
  present(item, state, position_ms) {
    this.#connection.send({ type: "presence", item, state, position_ms });
  }

  /** A player has begun, stopped or stalled. */
  playerChanged() {
    this.#sayState();
  }

  /** The tab is being hidden, perhaps for good: write down what has been played, in this very turn. */
  flush() {
    this.#lookAround();
    for (const player of this.#players) player.flush();
    if (this.#seat) this.#journal.spill();
    this.#outbox.pump();
  }

  /**
   * The page goes away, perhaps for good: say goodbye, on disk and on the wire, in this very turn, and give the
   * device back. A page that comes back (bfcache) claims again before it writes: see `wake`.
   */
  leave() {
    this.#lookAround();
    for (const player of this.#players) player.leave();
    this.#answers.leave();
    this.#away = true;
    this.#standUp();
  }

  /** The page is back, or in front again. */
  wake() {
    this.#away = false;
    this.#lookAround();
    for (const player of this.#players) player.back();
    if (!this.#seat) return void this.#sitDown();
    if (this.#cut) return;
    if (this.#connection.state === "stopped") this.#connection.start();
    else this.#connection.wake();
  }

  /** The network may have changed. */
  probe() {
    if (!this.#cut && this.#seat) this.#connection.probe();
  }

  /** Whether the machine has slept since the last look; then spans have ended and stamps are of a new boot. */
  lookAwake() {
    if (this.#waking || this.#boot.slept_ms() === 0) return false;
    this.#waking = true;
    for (const player of this.#players) player.slept();
    this.#boot.renew();
    this.clock.forget();
    this.#waking = false;
    for (const player of this.#players) player.woke();
    if (this.#seat && !this.#cut) this.#connection.renew();
    return true;
  }

  /** The hello frame of `device` without its credentials. */
  hello({ id, kind, name }) {
    this.lookAwake();
    const mono_ms = Math.round(this.time.mono());
    const wall = new Date(this.time.wall()).toISOString();
    return { device: { id, kind, name }, clock: { wall, mono_ms, boot: this.#boot.id }, client: CLIENT_NAME };
  }

  // ---- being a device -----------------------------------------------------------------------------------

  #stamped(fields, at_mono) {
    const wall = new Date(this.#boot.wallAt(at_mono)).toISOString();
    return { ...fields, mono_ms: Math.max(0, Math.round(at_mono)), boot: this.#boot.id, wall };
  }

  /** Before anything is written: is the clock still the one of before, and is this tab still the device? */
  #lookAround() {
    this.lookAwake();
    if (this.#seat && !this.#seat.held()) this.#lose();
  }

  #take(seat) {
    const other = this.device && this.device.id !== seat.device.id;
    this.#seat = seat;
    this.device = seat.device;
    this.#journal = seat.journal;
    this.#outbox = new Outbox({ journal: seat.journal, connection: this.#connection, time: this.time });
    this.#outbox.on("spoilt", () => this.#connection.renew());
    this.#journal.on("changed", () => this.#saySaved());
    this.#journal.on("degraded", ({ durability }) => (this.emit("degraded", { durability }), this.#sayState()));
    this.#journal.on("renumbered", (how) => [...this.#players].forEach((player) => player.renumbered(how)));
    this.#journal.on("fenced", () => this.#lose());
    for (const { event, entry } of this.#unseated.splice(0)) entry.seq = this.#journal.append(event).seq;
    this.#tabs.open();
    if (other) this.emit("device", { device: this.device });
    this.#sayState();
  }

  /** Claims a device id, the old one if it is free, and only then writes and connects. */
  #sitDown() {
    this.#sitting ??= this.#sit()
      .then((seat) => {
        if (this.#away || this.#over) return seat.journal.close(), seat.release();
        this.#take(seat);
        if (!this.#cut) this.#connection.start();
      })
      .catch((error) => console.warn("playhead: no device id could be claimed; events wait in memory.", error))
      .finally(() => (this.#sitting = null));
    return this.#sitting;
  }

  /** Gives the device back, when everything is down on disk. */
  #standUp() {
    const seat = this.#seat;
    if (!seat) return;
    const { journal } = seat;
    const safe = !seat.held() || journal.spill();
    this.#outbox.pump();
    this.#connection.stop();
    if (journal.length) this.#tabs.sayLeft();
    this.#tabs.close();
    this.#outbox.close();
    this.#seat = null;
    const give = () => (journal.close(), seat.release());
    if (safe) give();
    else void journal.settled().then(give);
  }

  /** Another tab is this device now: nothing more is written under its id; what was not sent moves along. */
  #lose() {
    const { journal, release } = this.#seat;
    this.#seat = null;
    this.#unseated.push(...journal.orphans().map((event) => ({ event, entry: { seq: Infinity } })));
    journal.close();
    this.#outbox.close();
    this.#connection.stop();
    this.#tabs.close();
    release();
    for (const player of this.#players) player.moved();
    if (!this.#away && !this.#over) void this.#sitDown();
  }

  /** Journals that closed tabs left behind: one look at a time. */
  async #deliverLeft() {
    if (this.#delivering || !this.online) return;
    this.#delivering = true;
    try {
      await this.#courier(this.device.id);
    } catch (error) {
      console.warn("playhead: a left journal waits on.", error);
    } finally {
      this.#delivering = false;
    }
  }

  // ---- the link -----------------------------------------------------------------------------------------

  #listen() {
    const link = this.#connection;
    link.on("state", (change) => this.#linkChanged(change));
    link.on("clock", ({ server_ms, sent_mono }) => this.clock.observe(server_ms, sent_mono));
    link.on("welcome", (message) => this.#welcomed(message));
    link.on("message", (message) => this.#hear(message));
    link.on("sent", (message) => this.emit("wire", { way: "up", ...summary(message) }));
  }

  #linkChanged({ state, verdict, failures }) {
    if (state !== "online") this.#outbox.shut();
    if (state !== "online") this.#answerPulls();
    if (state !== "online") this.#media.lost();
    if (state === "refused") return this.#say("refused", verdict);
    const long = failures > 1 || (verdict?.retry_after_ms ?? 0) > AWAY_AFTER_MS;
    const away = state === "stopped" || (state === "waiting" && (long || this.status === "offline"));
    if (away) return this.#say("offline", verdict);
    // An attempt after a failed one is still "offline" to the student.
    if (state !== "online" && this.status !== "offline") this.#say("connecting", verdict);
  }

  #welcomed(message) {
    this.emit("wire", { way: "down", ...summary(message) });
    if (message.student !== this.student) {
      // The token is somebody else's: this journal is sealed to its student and stays here (R9).
      return this.#connection.refuse({ name: "sealed", meaning: "another student is signed in", again: "final" });
    }
    this.#outbox.welcome(message);
    this.#say("online", null);
    this.#askFor([...this.#followed]);
    this.#sayClock(message);
    void this.#deliverLeft();
  }

  #sayClock({ clock_wrong = false, clock_offset_ms = 0 }) {
    const before = this.clock_state;
    this.clock_state = Object.freeze({ wrong: clock_wrong, offset_ms: clock_offset_ms });
    if (clock_wrong || before.wrong) this.emit("clock", this.clock_state);
  }

  #hear(message) {
    this.emit("wire", { way: "down", ...summary(message) });
    if (this.lookAwake()) return;
    if (message.type === "head") return this.#told(message);
    if (message.type === "applied") return this.#outbox.applied(message);
    if (message.type === "durable") return this.#outbox.durable(message);
    if (message.type === "resync") return this.#outbox.resync(message);
    if (message.type === "discontinuity") return this.#askFor(message.items);
    if (message.type === "rejected") return this.emit("rejected", message);
    if (message.type === "presence") return this.#hint(message);
    if (message.type === "media") return this.#media.hear(message);
    if (isRefusedChunk(message)) this.#outbox.refused();
    if (message.type === "error") console.warn(`playhead: a frame was refused: ${message.field}: ${message.message}`);
  }

  #told(message) {
    const { type: _, ...head } = message;
    const before = this.heads.get(head.item);
    const fresh = this.heads.accept(head);
    const now = this.heads.get(head.item);
    if (fresh) this.#nearby.delete(head.item);
    this.emit("head", { head: now, fresh });
    if (!before || before.device !== now.device || before.playing !== now.playing) this.#sayBaton(now);
    this.#answerPulls(head.item);
  }

  #hint({ type: _, ...hint }) {
    if (hint.device === this.device.id) return;
    this.#nearby.set(hint.item, hint);
    this.emit("nearby", hint);
  }

  #sayBaton({ item, device, device_name, device_kind, playing }) {
    this.emit("baton", { item, device, device_name, device_kind, playing, mine: device === this.device.id });
  }

  #answerPulls(item) {
    for (const [asked, waiting] of [...this.#pulls]) {
      if (item && asked !== item) continue;
      this.#pulls.delete(asked);
      for (const resolve of waiting) resolve(this.heads.get(asked));
    }
  }

  #askFor(items) {
    const most = this.limits?.items_per_pull ?? ITEMS_PER_PULL;
    for (let from = 0; from < items.length; from += most) {
      this.#connection.send({ type: "pull", items: items.slice(from, from + most) });
    }
  }

  #say(status, reason) {
    if (status === this.status && !reason) return;
    this.status = status;
    this.emit("status", { status, reason });
    this.#sayState();
  }

  #saySaved() {
    if (this.#journal.length) this.emit("saving", this.unsaved);
    else this.emit("saved", {});
    this.#sayState();
  }

  #sayState() {
    const players = [...this.#players];
    const now = savedness({
      status: this.status,
      durability: this.durability,
      entries: this.#journal.length + this.#unseated.length,
      unsaved_ms: this.#journal.unsaved_ms + players.reduce((sum, player) => sum + player.pending_ms, 0),
      playing: players.some((player) => player.active),
    });
    const before = this.#state;
    const same = before && ["state", "entries", "unsaved_ms"].every((name) => before[name] === now[name]);
    if (same) return;
    const since = before?.state === now.state ? before.since : this.time.wall();
    this.#state = Object.freeze({ ...now, since });
    this.emit("state", this.#state);
  }
}

/** A message for people who watch the wire: what matters, no secrets. */
function summary(message) {
  const { type } = message;
  if (type === "hello") return { type, device: message.device.name };
  if (type === "media") return { type, item: message.item, code: message.code };
  if (type === "events") {
    return { type, kinds: message.events.map((each) => each.kind), to_seq: message.events.at(-1)?.seq };
  }
  return { ...message };
}
