/**
 * Owns one signed-in student on one device: the journal, the link, the heads, and the players that use them.
 */

import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { Heads } from "./heads.js";
import { Outbox } from "./outbox.js";
import { Player } from "./player.js";
import { ServerClock } from "./clock.js";
import { newId } from "./ids.js";

export const CLIENT_NAME = "playhead-js/0.1.0";

/** Items asked for at once, until `welcome` states the limit. */
const ITEMS_PER_PULL = 64;

/** One boot of the monotonic clock: this page load. */
const BOOT = newId("boot");

/**
 * Events:
 * - `status` {status, reason}: `connecting`, `online`, `offline`, `refused`
 * - `saving` {entries, unsaved_ms}: something is not durable yet; `saved` {}: everything is (P26)
 * - `head` {head, fresh}: the server told a head; `fresh` is false if it was known
 * - `baton` {item, device, device_name, device_kind, mine, playing}: it changed hands, or stopped or started
 * - `rejected` {seq, code, message}: an event was refused for good
 * - `degraded` {durability}: the disk refuses, the journal lives in memory
 * - `wire` {way, type, ...}: every message, without secrets, for people who watch
 */
export class Client extends Emitter {
  #journal;
  #connection;
  #outbox;
  #courier;
  #release;
  #followed = new Set();
  #players = new Set();
  #pulls = new Map();
  #cut = false;

  constructor({ student, device, journal, link, courier, release }) {
    super();
    this.student = student;
    this.device = device;
    this.time = link.time;
    this.clock = new ServerClock(link.time);
    this.heads = new Heads(this.clock);
    this.status = "connecting";
    this.#journal = journal;
    this.#courier = courier;
    this.#release = release;
    this.#connection = new Connection({
      ...link,
      credentials: () => link.credentials(device.id),
      hello: () => this.hello(device),
    });
    this.#outbox = new Outbox({ journal, connection: this.#connection, time: link.time });
    this.#listen();
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
    this.#connection.start();
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
    await this.#journal.settled();
    this.#outbox.pump();
    this.#connection.stop();
    this.#release();
    this.silence();
  }

  /** Binds a media element to an item. @returns {Player} */
  attach(video, options) {
    const player = new Player(video, this, options);
    this.#players.add(player);
    return player;
  }

  /** A player has let go. */
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

  /** Marks an item done, or not, that no player has open: a visit of its own. */
  mark(item, version, done) {
    const base_rev = this.heads.rev(item);
    this.record({ session: newId("visit"), item, version, base_rev, kind: "marked", done });
  }

  /** Writes an event to the journal, stamped with `at_mono` or now; it is sent when the disk has it. */
  record(fields, at_mono = this.time.mono()) {
    const now_mono = this.time.mono();
    const wall_ms = this.time.wall() - (now_mono - at_mono);
    return this.#journal.append({
      ...fields,
      mono_ms: Math.max(0, Math.round(at_mono)),
      boot: BOOT,
      wall: new Date(wall_ms).toISOString(),
    });
  }

  /** Says that a player is there and does not play; moves nothing (R1). */
  present(item, state, position_ms) {
    this.#connection.send({ type: "presence", item, state, position_ms });
  }

  /** The tab is being hidden: write down what has been played. */
  flush() {
    for (const player of this.#players) player.flush();
  }

  /** The page goes away, perhaps for good: say goodbye, on disk and on the wire, in this very turn. */
  leave() {
    for (const player of this.#players) player.leave();
    this.#journal.spill();
    this.#outbox.pump();
    this.#connection.stop();
  }

  /** The page is back, or in front again. */
  wake() {
    if (this.#cut) return;
    if (this.#connection.state === "stopped") this.#connection.start();
    else this.#connection.wake();
  }

  /** The network may have changed. */
  probe() {
    if (!this.#cut) this.#connection.probe();
  }

  /** The hello frame of `device` without its credentials. */
  hello({ id, kind, name }) {
    const mono_ms = Math.round(this.time.mono());
    const wall = new Date(this.time.wall()).toISOString();
    return { device: { id, kind, name }, clock: { wall, mono_ms, boot: BOOT }, client: CLIENT_NAME };
  }

  #listen() {
    const link = this.#connection;
    link.on("state", (change) => this.#linkChanged(change));
    link.on("clock", ({ server_ms, sent_mono }) => this.clock.observe(server_ms, sent_mono));
    link.on("welcome", (message) => this.#welcomed(message));
    link.on("message", (message) => this.#hear(message));
    link.on("sent", (message) => this.emit("wire", { way: "up", ...summary(message) }));
    this.#journal.on("changed", () => this.#saySaved());
    this.#journal.on("degraded", () => this.emit("degraded", { durability: "memory" }));
  }

  #linkChanged({ state, verdict, failures }) {
    if (state !== "online") this.#outbox.shut();
    if (state !== "online") this.#answerPulls();
    if (state === "refused") return this.#say("refused", verdict);
    const away = state === "stopped" || (state === "waiting" && (failures > 1 || this.status === "offline"));
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
    void this.#courier?.().catch((error) => console.warn("playhead: a left journal waits on.", error));
    this.#courier = null;
  }

  #hear(message) {
    this.emit("wire", { way: "down", ...summary(message) });
    if (message.type === "head") return this.#told(message);
    if (message.type === "applied") return this.#outbox.applied(message);
    if (message.type === "durable") return this.#outbox.durable(message);
    if (message.type === "resync") return this.#outbox.resync(message);
    if (message.type === "discontinuity") return this.#askFor(message.items);
    if (message.type === "rejected") return this.emit("rejected", message);
    if (message.type === "error") console.warn(`playhead: a frame was refused: ${message.field}: ${message.message}`);
  }

  #told(message) {
    const { type: _, ...head } = message;
    const before = this.heads.get(head.item);
    const fresh = this.heads.accept(head);
    const now = this.heads.get(head.item);
    this.emit("head", { head: now, fresh });
    if (!before || before.device !== now.device || before.playing !== now.playing) this.#sayBaton(now);
    this.#answerPulls(head.item);
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
  }

  #saySaved() {
    if (this.#journal.length) this.emit("saving", this.unsaved);
    else this.emit("saved", {});
  }
}

/** A message for people who watch the wire: what matters, no secrets. */
function summary(message) {
  const { type } = message;
  if (type === "hello") return { type, device: message.device.name };
  if (type === "events") {
    return { type, kinds: message.events.map((each) => each.kind), to_seq: message.events.at(-1)?.seq };
  }
  return { ...message };
}
