/**
 * Owns what tabs of one browser tell each other: that one has gone and left a journal behind.
 *
 * A broadcast only saves time. Who writes is decided by locks and by the store; and what nobody announces
 * (a killed tab) is found by looking once a minute.
 */

const LOOK_MS = 60_000;

/** A tab that has said goodbye needs a moment to give its lock back. */
const SOON_MS = 500;

export class Tabs {
  #time;
  #make;
  #look;
  #channel = null;
  #cancel = () => {};

  /**
   * @param {object} of
   * @param {(() => BroadcastChannel) | null} of.make  opens the channel; null where there is none
   * @param {() => void} of.look  looks for journals that were left
   */
  constructor({ time, make, look }) {
    this.#time = time;
    this.#make = make;
    this.#look = look;
  }

  /** Listens, and looks now and then. An open channel may keep a page out of the back/forward cache. */
  open() {
    this.close();
    this.#channel = this.#make?.() ?? null;
    if (this.#channel) this.#channel.onmessage = ({ data }) => data === "left" && this.#lookIn(SOON_MS);
    this.#lookIn(LOOK_MS);
  }

  /** Says that this tab goes and leaves something behind. */
  sayLeft() {
    this.#channel?.postMessage("left");
  }

  close() {
    this.#cancel();
    this.#channel?.close();
    this.#channel = null;
  }

  #lookIn(ms) {
    this.#cancel();
    this.#cancel = this.#time.after(ms, () => {
      this.#look();
      this.#lookIn(LOOK_MS);
    });
  }
}
