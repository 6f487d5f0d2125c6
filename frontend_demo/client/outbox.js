/**
 * Owns the way of the journal up: what has been sent on this link, in which chunks, how fast (P20-P22, P27).
 */

import { Emitter } from "./emitter.js";

/** Frame overhead around the entries: `{"type":"events","events":[]}` and room to spare. */
const ENVELOPE_BYTES = 128;

/** The browser holds back a chunk while this much is unsent. */
const UNSENT_MAX_BYTES = 64 * 1024;

/** An entry sent and not applied for this long is sent again: repeats cost nothing (P22). */
const APPLIED_DEADLINE_MS = 20_000;

/** Used until `welcome` states the limits. */
const FIRST_LIMITS = Object.freeze({ frame_bytes: 16_384, events_per_message: 200, messages_per_s: 10 });

/**
 * Events: `applied` {seq}, `durable` {seq}.
 */
export class Outbox extends Emitter {
  applied_seq = 0;
  #journal;
  #connection;
  #time;
  #sent_seq = 0;
  #epoch = null;
  #open = false;
  #budget = { tokens: 1, at_mono: 0 };
  #cancelPump = () => {};
  #cancelDeadline = null;

  constructor({ journal, connection, time }) {
    super();
    this.#journal = journal;
    this.#connection = connection;
    this.#time = time;
    journal.on("written", () => this.pump());
  }

  /** P21: forget what is durable, resend what is not applied. */
  welcome({ applied_seq, durable_seq, epoch }) {
    this.#epoch = epoch;
    this.#open = true;
    this.#journal.forget(durable_seq);
    this.#journal.continueFrom(applied_seq);
    this.applied_seq = applied_seq;
    this.#sent_seq = applied_seq;
    this.emit("durable", { seq: this.#journal.durable_seq });
    this.pump();
  }

  /** The link is gone; what was sent and not applied is unsent again. */
  shut() {
    this.#open = false;
    this.#cancelPump();
    this.#stopDeadline();
  }

  applied({ seq }) {
    if (seq <= this.applied_seq) return;
    this.applied_seq = seq;
    this.#sent_seq = Math.max(this.#sent_seq, seq);
    this.#stopDeadline();
    this.#awaitApplied();
    this.emit("applied", { seq });
  }

  durable({ seq }) {
    this.#journal.forget(seq);
    this.emit("durable", { seq: this.#journal.durable_seq });
  }

  /** P27: the shard lost its memory, or an entry never arrived. */
  resync({ from_seq, epoch }) {
    if (epoch !== this.#epoch) this.applied_seq = from_seq - 1;
    this.#epoch = epoch;
    this.#sent_seq = Math.max(from_seq - 1, this.#journal.durable_seq);
    this.pump();
  }

  /** Sends what is ready, chunk after chunk, as far as the limits allow now; comes back for the rest. */
  pump() {
    this.#cancelPump();
    while (this.#open && this.#connection.online) {
      const { entries, seq } = this.#chunk();
      if (!entries.length) return;
      const wait_ms = this.#wait();
      if (wait_ms > 0) {
        this.#cancelPump = this.#time.after(wait_ms, () => this.pump());
        return;
      }
      this.#budget.tokens -= 1;
      this.#connection.send({ type: "events", events: entries });
      this.#sent_seq = seq;
      this.#awaitApplied();
    }
  }

  get #limits() {
    return this.#connection.limits ?? FIRST_LIMITS;
  }

  #chunk() {
    const most = this.#limits.frame_bytes - ENVELOPE_BYTES;
    const entries = [];
    let bytes = 0;
    for (const entry of this.#journal.ready(this.#sent_seq, this.#limits.events_per_message)) {
      bytes += utf8Length(JSON.stringify(entry)) + 1;
      if (entries.length && bytes > most) break;
      entries.push(entry);
    }
    return { entries, seq: entries.at(-1)?.seq ?? this.#sent_seq };
  }

  /** Half of the announced rate is for the journal, the rest stays free for pulls and heartbeats. */
  #wait() {
    if (this.#connection.unsent_bytes > UNSENT_MAX_BYTES) return 100;
    const per_ms = this.#limits.messages_per_s / 2 / 1000;
    const most = Math.max(1, (this.#limits.message_burst ?? 2) / 2);
    const now = this.#time.mono();
    const earned = (now - this.#budget.at_mono) * per_ms;
    this.#budget = { tokens: Math.min(most, this.#budget.tokens + earned), at_mono: now };
    return this.#budget.tokens >= 1 ? 0 : Math.ceil((1 - this.#budget.tokens) / per_ms);
  }

  /** Runs from the oldest entry on its way, so that fresh ones do not put it off. */
  #awaitApplied() {
    if (this.#cancelDeadline || this.#sent_seq <= this.applied_seq) return;
    this.#cancelDeadline = this.#time.after(APPLIED_DEADLINE_MS, () => {
      this.#cancelDeadline = null;
      this.#sent_seq = this.applied_seq;
      this.pump();
    });
  }

  #stopDeadline() {
    this.#cancelDeadline?.();
    this.#cancelDeadline = null;
  }
}

const encoder = new TextEncoder();

function utf8Length(text) {
  return encoder.encode(text).length;
}
