/**
 * Owns the way of the journal up: what has been sent on this link, in which chunks, how fast (P20-P22, P27).
 *
 * One entry never holds up the rest: what is too large for a frame goes up as its `seq` alone, and when the
 * server refuses a whole frame, entries go up one by one until the culprit is found.
 */

import { Emitter } from "./emitter.js";
import { spoiled } from "./entries.js";

/** Frame overhead around the entries: `{"type":"events","events":[]}` and room to spare. */
const ENVELOPE_BYTES = 128;

/** A chunk is never larger than this, whatever a server allows (R8). */
const CHUNK_BYTES = 64 * 1024;

/** The browser holds back a chunk while this much is unsent. */
const UNSENT_MAX_BYTES = 64 * 1024;

/** An entry sent and not applied for this long is sent again: repeats cost nothing (P22). */
const APPLIED_DEADLINE_MS = 20_000;

/** Used until `welcome` states the limits. */
const FIRST_LIMITS = Object.freeze({ frame_bytes: 16_384, events_per_message: 200, messages_per_s: 10 });

/**
 * Events: `applied` {seq}, `durable` {seq}, `spoilt` {seq} (nobody can read it; the link wants to be new).
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
  /** Up to it entries go up one by one, each waiting for the last: a frame was refused. */
  #careful_seq = 0;
  #offs;

  constructor({ journal, connection, time }) {
    super();
    this.#journal = journal;
    this.#connection = connection;
    this.#time = time;
    journal.sending = false;
    this.#offs = [
      journal.on("written", () => this.pump()),
      journal.on("renumbered", ({ after, by }) => this.#sent_seq > after && (this.#sent_seq += by)),
    ];
  }

  /** P21: forget what is durable, resend what is not applied. */
  welcome({ applied_seq, durable_seq, epoch }) {
    this.#epoch = epoch;
    this.#open = true;
    this.#journal.continueFrom(applied_seq);
    this.#journal.forget(durable_seq);
    this.applied_seq = applied_seq;
    this.#sent_seq = applied_seq;
    this.#journal.sending = true;
    this.emit("durable", { seq: this.#journal.durable_seq });
    this.pump();
  }

  /** The link is gone; what was sent and not applied is unsent again. */
  shut() {
    this.#open = false;
    this.#journal.sending = false;
    this.#cancelPump();
    this.#stopDeadline();
  }

  /** Ends: the journal is another's. */
  close() {
    this.shut();
    for (const off of this.#offs) off();
    this.silence();
  }

  applied({ seq }) {
    if (seq <= this.applied_seq) return;
    this.applied_seq = seq;
    this.#sent_seq = Math.max(this.#sent_seq, seq);
    this.#stopDeadline();
    this.#awaitApplied();
    this.emit("applied", { seq });
    if (this.#careful_seq) this.pump();
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

  /**
   * The server could not read a frame of entries. Three of those end the link for good, so after the first one
   * they go up singly, and the one that is refused again is given up: its seq stays, so the rest can follow.
   * Then `spoilt` asks for a new link, on which refusals are counted anew.
   */
  refused() {
    // With a single entry on its way there is no doubt which one it was.
    if (this.#sent_seq === this.applied_seq + 1) {
      this.#careful_seq = Math.max(this.#careful_seq, this.#sent_seq);
      if (this.#journal.spoil(this.#sent_seq)) return this.emit("spoilt", { seq: this.#sent_seq });
    }
    this.#careful_seq = Math.max(this.#careful_seq, this.#sent_seq);
    this.#sent_seq = this.applied_seq;
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
      this.#sent_seq = seq;
      this.#connection.send({ type: "events", events: entries });
      this.#awaitApplied();
    }
  }

  get #limits() {
    return this.#connection.limits ?? FIRST_LIMITS;
  }

  #chunk() {
    const most = Math.min(this.#limits.frame_bytes, CHUNK_BYTES) - ENVELOPE_BYTES;
    const entries = [];
    let bytes = 0;
    for (const entry of this.#journal.ready(this.#sent_seq, this.#count())) {
      const own_bytes = utf8Length(JSON.stringify(entry)) + 1;
      const sendable = own_bytes > most ? spoiled(entry.seq) : entry;
      bytes += sendable === entry ? own_bytes : utf8Length(JSON.stringify(sendable)) + 1;
      if (entries.length && bytes > most) break;
      entries.push(sendable);
    }
    return { entries, seq: entries.at(-1)?.seq ?? this.#sent_seq };
  }

  #count() {
    if (this.applied_seq >= this.#careful_seq) this.#careful_seq = 0;
    if (!this.#careful_seq) return this.#limits.events_per_message;
    return this.#sent_seq > this.applied_seq ? 0 : 1;
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

/** Whether the message says that a frame of entries could not be read. */
export function isRefusedChunk({ type, field }) {
  return type === "error" && typeof field === "string" && field.startsWith("events");
}

const encoder = new TextEncoder();

function utf8Length(text) {
  return encoder.encode(text).length;
}
