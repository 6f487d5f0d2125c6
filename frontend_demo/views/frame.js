/** Owns the talk between a framed device and /demo around it: what happens here, and what to do. */

import { frame } from "./place.js";
import { savedness } from "./state_line.js";

const WATCHED = new Set(["welcome", "events", "applied", "durable", "rejected", "head", "resync", "discontinuity"]);

/** Tells the page around this frame; nobody listens when there is none. */
export function tellAround(kind, detail) {
  window.parent.postMessage({ from: "playhead-frame", frame, kind, ...detail }, location.origin);
}

export class Frame {
  #client;
  #player;
  #cut = false;

  /** @param {import("../client/index.js").Client} client @param {() => any} player */
  constructor(client, player) {
    this.#client = client;
    this.#player = player;
    client.on("wire", (line) => WATCHED.has(line.type) && tellAround("wire", { line }));
    for (const name of ["status", "saving", "saved", "head"]) client.on(name, () => this.#report());
    setInterval(() => this.#report(), 200);
    window.addEventListener("message", (event) => this.#obey(event));
  }

  #obey({ origin, source, data }) {
    if (origin !== location.origin || source !== window.parent) return;
    if (data?.to !== "playhead-frame") return;
    if (data.kind === "sound") this.#sound(data.on);
    if (data.kind === "cut") this.#link(data.on);
    if (data.kind === "undo") this.#player()?.undo();
  }

  #link(cut) {
    if (cut) this.#client.cut();
    else this.#client.start();
    this.#cut = cut;
    this.#report();
  }

  #sound(on) {
    const video = document.querySelector("video");
    if (video && video.muted === on) video.muted = !on;
  }

  #report() {
    const player = this.#player();
    const head = player?.head ?? null;
    // Whoever presses "Try now" in here has mended the link that was cut from outside.
    this.#cut &&= this.#client.status === "offline";
    tellAround("state", {
      position_ms: player?.position_ms ?? null,
      duration_ms: player?.duration_ms ?? 0,
      phase: player?.phase ?? "away",
      mine: head !== null && head.rev > 0 && head.device === this.#client.device.id,
      head,
      status: this.#client.status,
      cut: this.#cut,
      clean: this.#client.state.entries === 0 && this.#client.state.unsaved_ms === 0,
      clock_offset_ms: this.#client.clock_state.offset_ms,
      saved: savedness(this.#client, player),
    });
  }
}
