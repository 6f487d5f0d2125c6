/**
 * Owns that what is edited reaches the server: one save at a time, each on top of the draft it was made from
 * (If-Match). If somebody else has saved meanwhile, nothing is overwritten until a person has chosen.
 */

import { isSame } from "./draft_changes.js";
import { merge } from "./draft_merge.js";

/** Saved when nothing was typed for so long. */
const PAUSE_MS = 700;

/** Browsers let nobody else call their timers: they are wrapped. */
const PAGE_TIME = { after: (ms, act) => setTimeout(act, ms), cancel: (timer) => clearTimeout(timer) };

/** Waits between attempts that did not get through. */
const RETRY_MS = [2_000, 5_000, 15_000, 30_000];

export class DraftKeeper {
  /** The document as it is edited here. */
  content;
  /** `saved`, `edited`, `saving`, `failed` (`problem` says why; tried again) or `conflict` (`theirs` is the other one). */
  state = "saved";
  problem = "";
  theirs = null;
  #base;
  #etag;
  /** What went out since the base: if an answer was lost, one of them may be what the server has by now. */
  #sent = [];
  #save;
  #read;
  #tell;
  #time;
  #timer = null;
  #failures = 0;
  #busy = null;

  /**
   * @param {{content: object, etag: string, save: (content: object, etag: string) => Promise<{etag: string}>,
   *          read: () => Promise<{content: object, etag: string}>, tell: (what: {adopted: boolean}) => void,
   *          time?: {after: (ms: number, act: () => void) => any, cancel: (timer: any) => void}}} of
   *        `tell`: something of this is another than before; `adopted`: the document itself is, not by an edit here
   */
  constructor({ content, etag, save, read, tell, time = PAGE_TIME }) {
    [this.content, this.#base, this.#etag] = [content, content, etag];
    [this.#save, this.#read, this.#tell, this.#time] = [save, read, tell, time];
  }

  /** The ETag of what is saved: publish exactly that. */
  get etag() {
    return this.#etag;
  }

  get is_clean() {
    return this.state !== "conflict" && !this.#differs;
  }

  get #differs() {
    return !isSame(this.content, this.#base);
  }

  edit(content) {
    this.content = content;
    if (this.state === "conflict") return;
    if (this.state !== "saving") this.#become("edited");
    this.#later(PAUSE_MS);
  }

  /** Saves now what is not saved; resolves when it is, or cannot be. Tells whether it is. */
  async flush() {
    this.#time.cancel(this.#timer);
    // Of several who wait for a save, each looks again: another may have begun.
    while (this.#busy) await this.#busy;
    if (!this.is_clean && this.state !== "conflict") {
      this.#busy = this.#send().finally(() => (this.#busy = null));
      await this.#busy;
    }
    return this.is_clean;
  }

  /** Takes in what the server has by now, such as the version an upload has made. */
  async pull() {
    while (this.#busy) await this.#busy;
    const { content, etag } = await this.#read();
    if (this.#busy) return this.pull();
    this.#meet(content, etag);
    if (this.state !== "conflict" && !this.is_clean) this.#later(0);
  }

  /** Ends a conflict: with `theirs`, or with what is here over it. */
  async resolve(whose) {
    const { content, etag } = this.theirs;
    this.theirs = null;
    [this.#base, this.#etag] = [content, etag];
    if (whose === "theirs") this.content = content;
    this.#become(this.#differs ? "edited" : "saved", { adopted: whose === "theirs" });
    await this.flush();
  }

  stop() {
    this.#time.cancel(this.#timer);
  }

  #later(ms) {
    this.#time.cancel(this.#timer);
    this.#timer = this.#time.after(ms, () => void this.flush());
  }

  async #send() {
    const sent = this.content;
    if (this.#sent.at(-1) !== sent) this.#sent.push(sent);
    this.#become("saving");
    try {
      const { etag } = await this.#save(sent, this.#etag);
      [this.#base, this.#etag, this.#failures, this.#sent] = [sent, etag, 0, []];
      // What was typed during the save is not in it.
      this.#become(this.#differs ? "edited" : "saved");
      if (!this.is_clean) this.#later(PAUSE_MS);
    } catch (error) {
      await this.#failed(error);
    }
  }

  async #failed(error) {
    if (error.status === 412) {
      const found = await this.#read().catch(() => null);
      if (!found) return this.#again(error);
      this.#meet(found.content, found.etag);
      if (this.state !== "conflict" && !this.is_clean) this.#later(0);
      return;
    }
    this.#again(error);
  }

  #again(error) {
    this.problem = error.message;
    // What the server refuses as it is written is sent again when it is written differently.
    const is_final = error.status >= 400 && error.status < 500 && ![408, 412, 425, 429].includes(error.status);
    if (!is_final) this.#later(error.retry_after_ms || RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)]);
    this.#failures += 1;
    this.#become("failed");
  }

  #meet(content, etag) {
    // A save of our own whose answer was lost is nobody else's change.
    if (this.#sent.some((sent) => isSame(content, sent))) this.#base = content;
    this.#sent = [];
    const merged = merge(this.#base, this.content, content);
    if (!merged) {
      this.theirs = { content, etag, base: this.#base };
      return this.#become("conflict");
    }
    const adopted = !isSame(merged, this.content);
    [this.#base, this.#etag, this.content] = [content, etag, merged];
    this.#become(this.#differs ? "edited" : "saved", { adopted });
  }

  #become(state, { adopted = false } = {}) {
    this.state = state;
    if (state !== "failed") this.problem = "";
    this.#tell({ adopted });
  }
}
