/** Owns the talk between a framed device and /demo around it: what happens here, and what to do. */

import { frame } from "./place.js";
import { savedness } from "./state_line.js";

const WATCHED = new Set(["welcome", "events", "applied", "durable", "rejected", "head", "resync", "discontinuity"]);

export class Frame {
  #client;
  #player;

  /** @param {import("../client/index.js").Client} client @param {() => any} player */
  constructor(client, player) {
    this.#client = client;
    this.#player = player;
    client.on("wire", (line) => WATCHED.has(line.type) && this.#tell("wire", { line }));
    for (const name of ["status", "saving", "saved", "head"]) client.on(name, () => this.#report());
    setInterval(() => this.#report(), 200);
    window.addEventListener("message", (event) => this.#obey(event));
  }

  #obey({ origin, source, data }) {
    if (origin !== location.origin || source !== window.parent) return;
    if (data?.to !== "playhead-frame") return;
    if (data.kind === "sound") this.#sound(data.on);
    if (data.kind === "cut") data.on ? this.#client.cut() : this.#client.start();
  }

  #sound(on) {
    const video = document.querySelector("video");
    if (video && video.muted === on) video.muted = !on;
  }

  #report() {
    const player = this.#player();
    const head = player?.head ?? null;
    this.#tell("state", {
      position_ms: player?.position_ms ?? null,
      duration_ms: player?.duration_ms ?? 0,
      phase: player?.phase ?? "away",
      mine: head !== null && head.rev > 0 && head.device === this.#client.device.id,
      rev: head?.rev ?? 0,
      rule: head?.rule ?? "",
      status: this.#client.status,
      saved: savedness(this.#client, player),
    });
  }

  #tell(kind, detail) {
    window.parent.postMessage({ from: "playhead-frame", frame, kind, ...detail }, location.origin);
  }
}
