/**
 * Owns one document for one student: where they read, which pages they have read, and where to go on.
 *
 * Nothing carries a reader along, so a place is always one that the user has gone to: a move that has come to
 * rest is a seek (`sought`, R1). What was in view long enough is told as `played`, ending where the reader
 * stands, and the player is `paused` behind it: a head of a document never runs (P10). Opening, layout and the
 * reader's own positioning are no move.
 *
 * It draws nothing: whoever shows the pages says what is in view (`look`) and goes where `show` says.
 */

import { Dwell, PAGE_MS, SLOWEST } from "./dwell.js";
import { Standing } from "./standing.js";
import { Visit } from "./visit.js";

/** Scrolling that has stopped for so long has come to rest. */
const REST_MS = 1_000;

/** Nearer than a fiftieth of a page is the same place. */
const NEAR_MS = PAGE_MS / 50;

/** A page that nobody has touched for so long follows the student to where they read on another device. */
const FOLLOW_MS = 10_000;

const LOOK_MS = 1_000;

const BEAT_MS = 10_000;

/**
 * Events: `change` (anything a page shows), `show` {place_ms} (go there: nobody has scrolled), `handed` {from_ms,
 * to_ms} (that place is another device's), `outdated` {version} (the server has a newer version).
 */
export class Reader extends Standing {
  #client;
  #visit;
  #duration_ms;
  #dwell = new Dwell();
  #view = null;
  #place_ms;
  #stood_ms;
  #move = null;
  /** The server has been asked where to stand (an undo), and has not said it yet. */
  #asking = false;
  #touched_mono = -Infinity;
  #floating = true;
  #hidden = false;
  #cancelTick = () => {};
  #offs = [];

  /**
   * @param {import("./client.js").Client} client
   * @param {{item: string, version: string, duration_ms: number, start_ms?: number}} of  `start_ms` is the place
   *        to show until the server has told the head
   */
  constructor(client, { item, version, duration_ms, start_ms = 0 }) {
    super(client, { item, version });
    this.#client = client;
    this.#duration_ms = duration_ms;
    this.#visit = new Visit(client, { item, version });
    this.#place_ms = this.#stood_ms = this.#within(start_ms);
    this.#offs.push(
      client.on("head", ({ head }) => head.item === item && this.#heard(head)),
      client.on("status", () => this.emit("change")),
    );
    client.follow([item]);
    this.#settle();
    this.#tick();
  }

  /** What a page of it is called when something counts it. */
  get unit() {
    return "page";
  }

  /** `reading` while pages are in view, else `idle`. */
  get phase() {
    return this.#view && !this.#hidden ? "reading" : "idle";
  }

  /** Where the reader stands, in ms: where the user has scrolled or was led to, however the page lies. */
  get position_ms() {
    return Math.round(this.#place_ms);
  }

  get duration_ms() {
    return this.#duration_ms;
  }

  /** Content ms read that no journal entry holds yet. */
  get pending_ms() {
    return this.#dwell.pending_ms(this.#client.time.mono());
  }

  /** Whether something of it is still to be written down. */
  get active() {
    return this.pending_ms > 0 || this.#move !== null;
  }

  // ---- what the page shows ------------------------------------------------------------------------------

  /**
   * What is in view now. `by` says who brought it there: the user's hand, or the page (its layout, its own
   * positioning).
   * @param {{place_ms: number, first: number, last: number}} view  `place_ms` is at the upper edge
   * @param {"user" | "page"} by
   */
  look(view, by) {
    this.#client.lookAwake();
    const now_mono = this.#client.time.mono();
    this.#view = { first: view.first, last: view.last };
    if (!this.#hidden && !this.#asking) this.#dwell.see(view, now_mono);
    if (by === "user") this.#touch(this.#within(view.place_ms), now_mono);
    this.emit("change");
  }

  /** The user goes to a place: a page number, a key, a hit of a search. */
  seek(to_ms) {
    this.#go(this.#within(to_ms), "sought");
  }

  /** The user takes an offered place. */
  choose(place_ms) {
    this.#go(this.#within(place_ms), "chosen");
  }

  /** Goes to where the student stands now, on whatever device. */
  continueHere() {
    this.choose(this.placeNow() ?? this.position_ms);
  }

  /** Reverts the latest change of the head, whoever made it; the server knows the old place (R4). */
  undo() {
    this.#command("undone", {});
  }

  /** Starts the document afresh: nothing read, first page. */
  reset() {
    this.#command("reset", {});
    this.#show(0);
  }

  /** Ticks the document done, or takes that back; the place stays. */
  mark(done) {
    this.#command("marked", { done });
  }

  // ---- the life of the page (client.js) -----------------------------------------------------------------

  /** The tab is being hidden: what was read is written down, and nothing is in view until it is back. */
  flush() {
    this.#rest();
    this.#stopLooking();
    this.#hidden = true;
  }

  /** The page is in front again. */
  back() {
    this.#hidden = false;
    if (this.#view) this.#dwell.see(this.#view, this.#client.time.mono());
    this.#settle();
  }

  /** Ends the visit: the page goes away. Reading after this (a page that came back) is a new visit. */
  leave() {
    this.#rest();
    this.#stopLooking();
    this.#visit.close();
    this.#floating = true;
    this.#hidden = true;
  }

  /** The machine slept: what was read before is told with stamps of before. */
  slept() {
    this.#tellRead();
    this.#dwell.forget();
  }

  /** ... and what is read from now on has stamps of the new boot. */
  woke() {
    this.#visit.restamp();
    if (this.#view && !this.#hidden) this.#dwell.see(this.#view, this.#client.time.mono());
  }

  /** This tab is another device from now on, so what is read on is a visit of that one. */
  moved() {
    this.#tellRead();
    this.#visit.renew();
  }

  /** The journal has given its newest entries other numbers. */
  renumbered({ after, by }) {
    this.#visit.renumbered(after, by);
  }

  /** Ends the visit and lets go of the page. */
  detach() {
    this.leave();
    for (const off of this.#offs) off();
    this.#cancelTick();
    this.#client.forgetPlayer(this);
    this.silence();
  }

  // ---- moving -------------------------------------------------------------------------------------------

  #touch(place_ms, now_mono) {
    this.#place_ms = place_ms;
    this.#floating = this.#asking = false;
    this.#touched_mono = now_mono;
    const { time, heads } = this.#client;
    this.#move?.cancel();
    this.#move = {
      base_rev: this.#move?.base_rev ?? heads.rev(this.item),
      mono_ms: now_mono,
      cancel: time.after(REST_MS, () => this.#rest()),
    };
    this.#client.playerChanged();
  }

  /** The move is over: where it ended is the place, unless it led back to where it began. */
  #rest() {
    const move = this.#move;
    this.#move = null;
    move?.cancel();
    if (!move) return;
    if (Math.abs(this.#place_ms - this.#stood_ms) > NEAR_MS) this.#name(this.#place_ms, "sought", move);
    else this.emit("change");
  }

  #go(place_ms, kind) {
    this.#client.lookAwake();
    this.#move?.cancel();
    this.#move = null;
    this.#floating = this.#asking = false;
    this.#touched_mono = this.#client.time.mono();
    const is_there = kind === "sought" && Math.abs(place_ms - this.#stood_ms) <= NEAR_MS;
    if (!is_there) this.#name(place_ms, kind);
    this.#show(place_ms);
  }

  /** Writes down what was read at the old place, then the new one. */
  #name(place_ms, kind, { base_rev = this.#client.heads.rev(this.item), mono_ms } = {}) {
    this.#tellRead(mono_ms);
    this.#stood_ms = place_ms;
    const fields = { position_ms: Math.round(place_ms), rate: SLOWEST };
    this.#visit.act(kind, fields, { base_rev, at_mono: mono_ms });
    this.answerOffer();
    this.#client.playerChanged();
    this.emit("change");
  }

  #command(kind, fields) {
    this.#rest();
    this.#tellRead();
    this.#visit.act(kind, fields);
    if (kind !== "marked") this.answerOffer();
    // Where a reset leads is known here; the head of before, which is all there is off line, would lead back.
    if (kind !== "marked") this.#floating = kind === "undone";
    if (kind === "undone") this.#ask();
    this.emit("change");
  }

  /** What is read until the place is known belongs to none: told as of the old one, it would lead back there. */
  #ask() {
    this.#asking = true;
    this.#dwell.forget();
  }

  /** Our own positioning: never the user's move. */
  #show(place_ms) {
    this.#asking = false;
    this.#place_ms = this.#stood_ms = place_ms;
    this.emit("show", { place_ms });
    this.emit("change");
  }

  #within(place_ms) {
    return Math.max(0, Math.min(place_ms, this.#duration_ms));
  }

  // ---- reading ------------------------------------------------------------------------------------------

  #tick() {
    this.#cancelTick = this.#client.time.after(LOOK_MS, () => this.#tick());
    if (this.#asking && this.#client.applied_seq >= this.#visit.run.entry.seq) this.#asking = false;
    if (this.#hidden || this.#asking || !this.#view) return;
    this.#client.lookAwake();
    const now_mono = this.#client.time.mono();
    this.#dwell.see(this.#view, now_mono);
    if (this.#dwell.age_ms(now_mono) >= (this.#client.limits?.beat_ms ?? BEAT_MS)) this.#tellRead();
    this.#client.playerChanged();
  }

  #stopLooking() {
    const now_mono = this.#client.time.mono();
    this.#tellRead();
    this.#dwell.see(null, now_mono);
  }

  #tellRead(until_mono = this.#client.time.mono()) {
    const spans = this.#dwell.take(Math.round(this.#stood_ms), until_mono);
    for (const span of spans) this.#visit.played(span);
    if (spans.length) this.#visit.stopped("paused", Math.round(this.#stood_ms), until_mono);
  }

  // ---- the others ---------------------------------------------------------------------------------------

  #heard(head) {
    if (head.version !== this.version && head.rev > 0) this.emit("outdated", { version: head.version });
    this.#settle();
    this.emit("change");
  }

  /** Goes where the head is, unless the user has just scrolled here: then it is only told (`elsewhere`). */
  #settle() {
    const place_ms = this.#handed();
    if (place_ms === null || Math.abs(place_ms - this.position_ms) <= NEAR_MS) return;
    const [from_ms, elsewhere] = [this.position_ms, !this.isMine(this.head)];
    this.#show(place_ms);
    // Who has only opened it is where they are, and needs no word.
    if (elsewhere && this.#visit.begun) this.emit("handed", { from_ms, to_ms: place_ms });
  }

  /** The place that the head hands to this page, or null if it stays where it is. */
  #handed() {
    const { head } = this;
    if (!this.isPlace(head) || this.#move) return null;
    if (this.#floating) return this.placeNow();
    const { run } = this.#visit;
    // A head that the server made before it knew our last move says nothing.
    if (this.isMine(head) || (run && this.#client.applied_seq < run.entry.seq)) return null;
    const rested = this.#hidden || this.#client.time.mono() - this.#touched_mono >= FOLLOW_MS;
    return rested ? this.placeNow() : null;
  }
}
