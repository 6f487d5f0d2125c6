/**
 * Owns one media element for one item: starts it where the student is, reports what it really plays, and
 * hands over when another device takes the baton.
 *
 * It reports nothing for opening, buffering, stalling, position 0 before the first seek, or its own
 * positioning (R1, R5). Phases:
 *
 *   idle → asking → starting → playing ⇄ stalled → idle
 *
 * `asking` shows the server our base and takes the head before the first frame; `starting` waits for that
 * frame; `stalled` wants to play and does not move (buffering, or a seek under way).
 */

import { SpanMeter, rateOf } from "./spans.js";
import { Standing } from "./standing.js";
import { REAL_PLAY_MS, Visit } from "./visit.js";
import { within } from "./time.js";

/** The first frame waits this long for the head, then goes on with what is known. */
const ASK_MS = 400;

/** Seeks closer together than this are one: the user is still looking for the place. */
const SEEK_SETTLE_MS = 250;

/** A native seek shorter than this while playing is the media engine skipping a gap. */
const NUDGE_MS = 1_000;

/** How often the element is read while it should play. */
const SAMPLE_MS = 250;

const BEAT_MS = 10_000;

/** While playing, the span so far is noted on disk this often: a kill loses no more. */
const NOTE_MS = 2_000;

/** After taking over, or a change of rate, the next beat comes early: the others learn of it in a second. */
const EARLY_BEAT_MS = 1_000;

/** A paused or stalled player says so this often while on line; it moves nothing. */
const PRESENCE_MS = 30_000;

const STALL_TOLD_MS = 2_000;

/** Our own head closer than this to where we stand is our own last stop, seen a moment ago. */
const OWN_SLACK_MS = 3_000;

/** A head this close to the end is the end: play starts over. */
const END_MS = 750;

/**
 * Events: `change` (anything a page shows), `handed` {from_ms, to_ms}, `taken` {device, device_name,
 * device_kind, position_ms}, `declined` (an automatic start of a finished item), `blocked` (the browser
 * refuses to play without a gesture), `outdated` {version} (the server has a newer version of the item).
 */
export class Player extends Standing {
  phase = "idle";
  #video;
  #client;
  #item;
  #version;
  #visit;
  #meter = new SpanMeter();
  #floating;
  #wanted_ms;
  #seek = null;
  #ask = 0;
  #start_base_rev = 0;
  #start_by = "user";
  #beat_ms = null;
  #noted_mono = 0;
  #slept_at_ms = null;
  #tick_at_ms = 0;
  #cancelTick = () => {};
  #cancelPresence = () => {};
  #offs = [];

  /**
   * @param {HTMLMediaElement} video
   * @param {import("./client.js").Client} client
   * @param {{item: string, version: string, intent?: "resume"|"bookmark"|"auto"|"advance",
   *          at_ms?: number, start_ms?: number}} of  `at_ms` is a bookmark's place, `start_ms` the place to
   *        show until the server has told the head
   */
  constructor(video, client, { item, version, intent = "resume", at_ms = null, start_ms = 0 }) {
    super(client, { item, version });
    this.#video = video;
    this.#client = client;
    this.#item = item;
    this.#version = version;
    this.#visit = new Visit(client, { item, version, intent, at_ms });
    this.#floating = at_ms === null;
    this.#wanted_ms = at_ms ?? start_ms;
    this.#listen();
    client.follow([item]);
    this.#show(this.#wanted_ms);
    this.#settle();
    this.#present();
  }

  /** Where the player stands, in ms. */
  get position_ms() {
    return Math.round(this.#wanted_ms ?? this.#video.currentTime * 1000);
  }

  get duration_ms() {
    const { duration } = this.#video;
    return Number.isFinite(duration) ? Math.round(duration * 1000) : (this.head?.duration_ms ?? 0);
  }

  /** Whether the user wants it to play, be it moving or not. */
  get active() {
    return this.phase !== "idle";
  }

  /**
   * While a bookmark is only looked at (R1): the place to go back to, by `choose`. Null when there is none.
   * @returns {{position_ms: number, device: string, device_name: string, device_kind: string} | null}
   */
  get returnPlace() {
    const { head } = this;
    if (!this.#visit.peeking || !this.isPlace(head)) return null;
    const { device, device_name, device_kind } = head;
    return { position_ms: this.placeNow(), device, device_name, device_kind };
  }

  /** Content ms played that no journal entry holds yet. */
  get pending_ms() {
    return this.#meter.content_ms;
  }

  /**
   * Plays. On line, asks for the head first and starts where it is handed; gives up asking after 400 ms.
   * @param {{by?: "user" | "auto"}} how  an automatic start does not start what is done (R10)
   * @returns {Promise<boolean>} whether it plays
   */
  play({ by = "user" } = {}) {
    return this.#play(by);
  }

  async #play(by) {
    if (this.active) return true;
    const ask = ++this.#ask;
    this.#become("asking");
    const head = await this.#askHead();
    if (ask !== this.#ask) return false;
    if (by === "auto" && head?.done) {
      this.#become("idle");
      this.emit("declined", { head });
      return false;
    }
    this.#takeStart();
    return this.#start(by);
  }

  /** Pauses, also while still asking or starting. */
  pause() {
    this.#ask += 1;
    if (this.phase === "asking") this.#become("idle");
    if (!this.#video.paused) this.#video.pause();
  }

  /** The user moves to `to_ms`. */
  seek(to_ms) {
    const place_ms = Math.max(0, Math.min(to_ms, this.duration_ms || to_ms));
    this.#breakSpan("stalled");
    this.#noteSeek(place_ms);
    this.#show(place_ms);
  }

  /** The user takes an offered place, or says "stay here": a run of its own, real at once. */
  choose(position_ms) {
    this.#flushSeek();
    this.#breakSpan("stalled");
    this.#visit.act("chosen", { position_ms: Math.round(position_ms), rate: rateOf(this.#video) });
    this.dismissOffer();
    this.#floating = false;
    this.#show(position_ms);
  }

  /**
   * Takes the baton: goes to where the item stands now, on whatever device, and plays there. One action of the
   * user, so one run: `chosen` begins it, and what is played belongs to it.
   */
  continueHere() {
    const place_ms = this.placeNow() ?? this.position_ms;
    this.choose(this.#fromEnd(place_ms));
    return this.#play("choice");
  }

  /** Reverts the latest change of the head, whoever made it; the server knows the old place (R4). */
  undo() {
    this.#command("undone", {});
  }

  /** Starts the item afresh: nothing covered, place 0. */
  reset() {
    this.#breakSpan("stalled");
    this.#command("reset", {});
    this.#show(0);
  }

  /** Ticks the item done, or takes that back; the place stays. */
  mark(done) {
    this.#command("marked", { done });
  }

  /** Writes down what has been played so far and goes on: the tab is being hidden. */
  flush() {
    this.#flushSeek();
    this.#sample();
    this.#visit.played(this.#meter.cut());
  }

  /** The page is back from the back/forward cache, perhaps with the element playing on. */
  back() {
    this.#nativePlay();
  }

  /** Ends the visit: the page goes away. Play after this (a page that came back) is a new visit. */
  leave() {
    this.#ask += 1;
    this.#flushSeek();
    this.#sample();
    this.#visit.played(this.#meter.stop());
    this.#visit.close();
    this.#floating = true;
    this.#become("idle");
  }

  /** The machine slept: what was played before ends at the last frame seen, with stamps of before. */
  slept() {
    this.#flushSeek();
    this.#slept_at_ms = this.#meter.last_ms;
    this.#visit.played(this.#meter.stop());
  }

  /** ... and what is played from now on has stamps of the new boot. */
  woke() {
    this.#visit.restamp();
    if (this.phase === "playing") this.#goOn(this.#slept_at_ms);
  }

  /** This tab is another device from now on, so what is played on is a visit of that one. */
  moved() {
    this.#flushSeek();
    this.#sample();
    this.#visit.played(this.#meter.stop());
    this.#visit.renew();
    if (this.phase !== "playing" && this.phase !== "stalled") return;
    this.#start_by = "user";
    this.#start_base_rev = this.#client.heads.rev(this.#item);
    this.#writePlay();
    if (this.phase === "playing") this.#measure();
  }

  /** The journal has given its newest entries other numbers. */
  renumbered({ after, by }) {
    this.#visit.renumbered(after, by);
  }

  /** Ends the visit and lets go of the element. */
  detach() {
    this.leave();
    for (const off of this.#offs) off();
    this.#cancelPresence();
    this.#client.forgetPlayer(this);
    this.silence();
  }

  // ---- starting -----------------------------------------------------------------------------------------

  async #askHead() {
    if (!this.#client.online) return this.head;
    return within(this.#client.time, ASK_MS, this.#client.pull(this.#item), this.head);
  }

  /** A floating player goes where the head is; one that the user has placed stays. */
  #takeStart() {
    this.#flushSeek();
    this.#start_base_rev = this.#client.heads.rev(this.#item);
    const from_ms = this.position_ms;
    const handed_ms = this.#floating ? this.#handed() : null;
    const to_ms = this.#fromEnd(handed_ms ?? from_ms);
    if (Math.abs(to_ms - from_ms) < 100) return;
    this.#show(to_ms);
    this.emit("handed", { from_ms, to_ms });
  }

  /** The place the head hands to this player, or null if it stands right. */
  #handed() {
    const { head } = this;
    if (!this.isPlace(head)) return null;
    const place_ms = this.placeNow();
    const own_stop = this.isMine(head) && this.#visit.begun;
    if (own_stop && Math.abs(place_ms - this.position_ms) <= OWN_SLACK_MS) return null;
    return place_ms;
  }

  #fromEnd(place_ms) {
    const end_ms = this.duration_ms;
    return end_ms && place_ms >= end_ms - END_MS ? 0 : place_ms;
  }

  async #start(by) {
    this.#start_by = by;
    this.#become("starting");
    const ask = this.#ask;
    try {
      await this.#video.play();
    } catch (error) {
      if (ask !== this.#ask || !this.active) return false;
      this.#become("idle");
      if (error.name === "NotAllowedError") this.emit("blocked", { error });
      return false;
    }
    return true;
  }

  /** The first frame is there: only now has anything happened. */
  #firstFrame() {
    if (this.#start_by === "choice") this.#beat_ms = EARLY_BEAT_MS;
    else this.#writePlay();
    if (this.head && this.isMine(this.head)) this.#visit.run.held = true;
    this.#floating = true;
    this.#measure();
  }

  #writePlay() {
    const fields = { position_ms: this.position_ms, rate: rateOf(this.#video), by: this.#start_by };
    this.#visit.act("play", fields, { real: false, base_rev: this.#start_base_rev });
  }

  #measure() {
    this.#meter.start(this.#video.currentTime * 1000, this.#client.time.mono(), rateOf(this.#video));
    this.#noted_mono = this.#client.time.mono();
    this.#become("playing");
  }

  /** Measures on from `last_ms`, unless the element is somewhere else by now. What moved since moved just now. */
  #goOn(last_ms, most_ms = NUDGE_MS) {
    const [at_ms, now_mono] = [this.#video.currentTime * 1000, this.#client.time.mono()];
    const rate = rateOf(this.#video);
    const near = last_ms !== null && at_ms >= last_ms && at_ms - last_ms <= most_ms;
    const from_ms = near ? last_ms : at_ms;
    this.#meter.start(from_ms, now_mono - (at_ms - from_ms) / rate, rate);
    this.#meter.sample(at_ms, now_mono);
    this.#tick_at_ms = at_ms;
  }

  // ---- the element --------------------------------------------------------------------------------------

  #listen() {
    const events = {
      loadedmetadata: () => this.#loaded(),
      play: () => this.#nativePlay(),
      playing: () => this.#moves(),
      pause: () => this.#paused(),
      waiting: () => this.active && this.#breakSpan("stalled"),
      seeking: () => this.#seeking(),
      seeked: () => this.#seeked(),
      ratechange: () => this.#rateChanged(),
      ended: () => this.#stop("ended"),
      emptied: () => this.#emptied(),
      timeupdate: () => this.#beat(),
    };
    for (const [name, act] of Object.entries(events)) {
      this.#video.addEventListener(name, act);
      this.#offs.push(() => this.#video.removeEventListener(name, act));
    }
    this.#offs.push(
      this.#client.on("head", ({ head }) => head.item === this.#item && this.#heard(head)),
      this.#client.on("status", () => this.emit("change")),
    );
  }

  /**
   * Somebody else pressed play: native controls, a media key. Hold the frame back and ask first. Elements tell
   * late, so what they said is checked against how they are.
   */
  #nativePlay() {
    if (this.active || this.#video.paused) return;
    this.#video.pause();
    void this.play();
  }

  #moves() {
    if (this.phase === "starting") this.#firstFrame();
    else if (this.phase === "stalled" && !this.#video.seeking) this.#measure();
    else this.#nativePlay();
  }

  #paused() {
    if (!this.#video.paused || this.#video.ended || this.phase === "asking") return;
    if (this.active) this.#stop("paused");
  }

  #stop(kind) {
    if (this.phase === "starting") return this.#become("idle");
    if (!this.active) return;
    this.#flushSeek();
    this.#sample();
    this.#visit.played(this.#meter.stop());
    this.#visit.stopped(kind, kind === "ended" ? this.duration_ms : this.position_ms);
    this.#floating = true;
    this.#become("idle");
  }

  /** Ends the span that runs, at the last frame seen moving. */
  #breakSpan(phase) {
    if (this.phase !== "playing") return;
    this.#sample();
    this.#visit.played(this.#meter.stop());
    this.#become(phase);
  }

  #rateChanged() {
    if (this.phase !== "playing") return;
    this.#sample();
    this.#visit.played(this.#meter.stop());
    this.#measure();
    this.#beat_ms = EARLY_BEAT_MS;
  }

  /** The source was taken away (an expired URL, a new one follows): stay where we were. */
  #emptied() {
    this.#breakSpan("stalled");
    this.#wanted_ms ??= this.#tick_at_ms;
  }

  /** New media: go where we were, and on if we were playing (a new source pauses the element silently). */
  #loaded() {
    this.#placed();
    if (this.phase === "stalled" && this.#video.paused) this.#video.play().catch(() => this.#stop("paused"));
    this.emit("change");
  }

  // ---- positions ----------------------------------------------------------------------------------------

  /** Our own positioning: never a user's seek. */
  #show(place_ms) {
    this.#wanted_ms = place_ms;
    if (this.#video.readyState > 0) this.#placed();
    this.emit("change");
  }

  #placed() {
    if (this.#wanted_ms === null) return;
    const place_ms = this.#wanted_ms;
    this.#wanted_ms = null;
    this.#tick_at_ms = place_ms;
    if (Math.abs(this.#video.currentTime * 1000 - place_ms) < 1) return;
    this.#video.currentTime = place_ms / 1000;
  }

  #seeking() {
    if (this.#wanted_ms !== null || this.#video.readyState === 0) return;
    this.#client.lookAwake();
    const at_ms = this.#video.currentTime * 1000;
    if (this.#loops(at_ms)) return this.#loop();
    // Our own positioning has left its target in #tick_at_ms, so it is never taken for the user's.
    const nudge = Math.abs(at_ms - this.#tick_at_ms) < NUDGE_MS;
    // The element is at the new place already; the span ends at the last reading.
    if (this.phase === "playing") {
      this.#visit.played(this.#meter.stop());
      this.#become("stalled");
    }
    if (!nudge) this.#noteSeek(at_ms);
  }

  #seeked() {
    this.#tick_at_ms = this.#video.currentTime * 1000;
    if (this.phase === "stalled" && !this.#video.paused && this.#video.readyState >= 3) this.#measure();
    this.emit("change");
  }

  /** A looping element goes from its end to 0 by itself. */
  #loops(at_ms) {
    return this.#video.loop && this.phase === "playing" && at_ms < NUDGE_MS && this.#tick_at_ms >= this.duration_ms - NUDGE_MS;
  }

  /** The end was reached, and what follows is an automatic start: no seek, and nothing moves the head (R10). */
  #loop() {
    this.#visit.played(this.#meter.stop());
    this.#visit.stopped("ended", this.duration_ms);
    this.#visit.act("play", { position_ms: 0, rate: rateOf(this.#video), by: "auto" }, { real: false });
    this.#become("stalled");
  }

  #noteSeek(to_ms) {
    this.#seek?.cancel();
    const { time, heads } = this.#client;
    this.#seek = {
      to_ms: Math.round(to_ms),
      base_rev: this.#seek?.base_rev ?? heads.rev(this.#item),
      mono_ms: time.mono(),
      cancel: time.after(SEEK_SETTLE_MS, () => this.#flushSeek()),
    };
    this.#floating = false;
  }

  /** Writes down a seek that has settled, or has to: nothing may overtake it. */
  #flushSeek() {
    if (!this.#seek) return;
    const { to_ms, base_rev, mono_ms, cancel } = this.#seek;
    cancel();
    this.#seek = null;
    const fields = { position_ms: to_ms, rate: rateOf(this.#video) };
    this.#visit.act("sought", fields, { base_rev, at_mono: mono_ms });
    this.answerOffer();
    this.emit("change");
  }

  #command(kind, fields) {
    this.#flushSeek();
    this.#sample();
    this.#visit.played(this.#meter.cut());
    this.#visit.act(kind, fields);
    if (kind !== "marked") this.answerOffer();
    if (!this.active) this.#floating = true;
    this.emit("change");
  }

  // ---- beats --------------------------------------------------------------------------------------------

  #tick() {
    this.#cancelTick();
    this.#cancelTick = this.#client.time.after(SAMPLE_MS, () => this.#tick());
    if (this.phase === "stalled") this.#wakeFromStall();
    this.#beat();
  }

  #wakeFromStall() {
    const at_ms = this.#video.currentTime * 1000;
    const moved = at_ms > this.#tick_at_ms && !this.#video.seeking && !this.#video.paused;
    if (moved) {
      const last_ms = this.#tick_at_ms;
      this.#measure();
      this.#goOn(last_ms);
    }
    this.#tick_at_ms = at_ms;
  }

  #sample() {
    this.#client.lookAwake();
    if (!this.#meter.running) return "moving";
    const at_ms = this.#video.currentTime * 1000;
    const verdict = this.#meter.sample(at_ms, this.#client.time.mono());
    if (verdict !== "jumped") this.#tick_at_ms = at_ms;
    if (verdict === "late") this.#split();
    return verdict;
  }

  /** It stood still for a while and moved on: two spans, with the pause in no one's time. */
  #split() {
    const last_ms = this.#meter.last_ms;
    this.#visit.played(this.#meter.stop());
    this.#goOn(last_ms, Infinity);
  }

  #beat() {
    if (this.phase !== "playing" || this.#video.seeking) return;
    const verdict = this.#sample();
    if (verdict === "frozen") return this.#breakSpan("stalled");
    if (verdict === "jumped") {
      this.#visit.played(this.#meter.stop());
      return this.#measure();
    }
    const due_ms = this.#beat_ms ?? this.#client.limits?.beat_ms ?? BEAT_MS;
    const now_mono = this.#client.time.mono();
    const due = this.#meter.age_ms(now_mono) >= due_ms || this.#becomesReal();
    if (!due && now_mono - this.#noted_mono < NOTE_MS) return;
    this.#noted_mono = now_mono;
    if (!due) return this.#visit.playing(this.#meter.peek());
    this.#flushSeek();
    this.#visit.played(this.#meter.cut());
    this.#beat_ms = null;
  }

  /** The first beat of a visit comes as soon as it makes the run real: the baton need not wait for 10 s. */
  #becomesReal() {
    const before_ms = this.#visit.content_ms;
    return before_ms < REAL_PLAY_MS && before_ms + this.#meter.content_ms >= REAL_PLAY_MS;
  }

  // ---- the others ---------------------------------------------------------------------------------------

  #heard(head) {
    if (head.version !== this.#version && head.rev > 0) this.emit("outdated", { version: head.version });
    const { run } = this.#visit;
    if (run && this.isMine(head)) run.held = true;
    if (this.#lost(head)) this.#yield(head);
    this.#settle();
    this.emit("change");
  }

  /**
   * Whether another device has the baton that this player plays under (R10). Heads that the server made before
   * it knew our run say nothing; and until our play is real, the other one rightly has it. While a play is being
   * asked for or started, the run here is still the one before.
   */
  #lost(head) {
    const { run } = this.#visit;
    const plays = this.phase === "playing" || this.phase === "stalled";
    if (!run || !plays || this.isMine(head) || head.rev === 0) return false;
    const { applied_seq } = this.#client;
    if (run.held) return applied_seq >= run.entry.seq;
    return head.playing && run.real_entry !== null && applied_seq >= run.real_entry.seq;
  }

  #yield(head) {
    const { device, device_name, device_kind, position_ms } = head;
    this.pause();
    if (this.active) this.#stop("paused");
    this.emit("taken", { device, device_name, device_kind, position_ms });
  }

  /** A player at rest follows the head, so that it shows the place it will start from. */
  #settle() {
    const { head } = this;
    const { run } = this.#visit;
    if (!head || this.active) return;
    if (!this.#floating && run && !this.isMine(head) && this.#client.applied_seq >= run.entry.seq) this.#floating = true;
    // Who looks at a bookmark is not led away from it, also while it is paused: see `returnPlace`.
    if (!this.#floating || head.playing || this.#visit.peeking) return;
    const place_ms = this.#handed();
    if (place_ms !== null && Math.abs(place_ms - this.position_ms) > SAMPLE_MS) this.#show(place_ms);
  }

  // ---- state --------------------------------------------------------------------------------------------

  #become(phase) {
    this.phase = phase;
    this.#cancelTick();
    if (["starting", "playing", "stalled"].includes(phase)) {
      this.#cancelTick = this.#client.time.after(SAMPLE_MS, () => this.#tick());
    }
    this.#present();
    this.#client.playerChanged();
    this.emit("change");
  }

  /** A short stall, or a seek under way, is not worth telling: others would see the play stop and go on. */
  #present(wait_ms = STALL_TOLD_MS) {
    this.#cancelPresence();
    if (this.phase !== "idle" && this.phase !== "stalled") return;
    this.#cancelPresence = this.#client.time.after(wait_ms, () => {
      const state = this.phase === "stalled" ? "stalled" : this.#visit.begun ? "paused" : "idle";
      this.#client.present(this.#item, state, this.position_ms);
      this.#present(PRESENCE_MS);
    });
  }
}
