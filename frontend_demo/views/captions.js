/** Owns what is said, in writing: the tracks of a lecture, which is shown, and where its lines stand. */

import { Emitter } from "../client/emitter.js";
import { h } from "./element.js";
import { like, liking } from "./liking.js";

/**
 * The browser reads the cues and this draws them, so that they stand above the controls and look like the page.
 * Events: `change` {}: other tracks, or another one is shown.
 */
export class Captions extends Emitter {
  element = h("div", { class: "stage__captions", hidden: true, data: { testid: "captions-lines" } });
  #video;
  #tracks = new Map();
  #shown = "";
  #last = "";

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    super();
    this.#video = video;
  }

  /** The languages there are: `[{language, label}]`. */
  get choices() {
    return [...this.#tracks].map(([language, { track }]) => ({ language, label: track.label || language }));
  }

  /** The language that is shown; empty for none. */
  get shown() {
    return this.#shown;
  }

  /** Takes the tracks of the lecture and shows the one the student likes; of known ones, newer addresses. */
  use(captions = []) {
    let more = false;
    for (const { language, label, url } of captions) {
      const known = this.#tracks.get(language);
      // One that has been read, or is being read, stays: only what is not asked for yet has an address that may end.
      if (known?.readyState === HTMLTrackElement.NONE) known.src = url;
      if (known) continue;
      more = true;
      const element = h("track", { kind: "captions", src: url, srclang: language, label });
      element.addEventListener("error", () => this.#forget(language));
      this.#video.append(element);
      element.track.mode = "disabled";
      element.track.addEventListener("cuechange", () => language === this.#shown && this.#draw());
      this.#tracks.set(language, element);
    }
    // What is shown stays when the same ones come again.
    if (more) this.#show(likedOf(liking().captions, [...this.#tracks.keys()]));
  }

  /** Shows a language, or none. */
  choose(language) {
    like({ captions: language || "" });
    this.#show(language);
  }

  /** Off, or on in the language that was shown last, else the first. */
  toggle() {
    if (this.#shown) return this.choose("");
    const [first] = this.#tracks.keys();
    if (first) this.choose(likedOf(this.#last, [...this.#tracks.keys()]) || first);
  }

  close() {
    for (const element of this.#tracks.values()) element.remove();
    this.silence();
  }

  #show(language) {
    if (this.#shown) this.#last = this.#shown;
    this.#shown = this.#tracks.has(language) ? language : "";
    // "hidden" reads cues and leaves the drawing to us.
    for (const [each, { track }] of this.#tracks) track.mode = each === this.#shown ? "hidden" : "disabled";
    this.#draw();
    this.emit("change", {});
  }

  #draw() {
    const { track } = this.#tracks.get(this.#shown) ?? {};
    const lines = [...(track?.activeCues ?? [])].map((cue) => h("p", { lang: this.#shown }, cue.getCueAsHTML()));
    this.element.replaceChildren(...lines);
    this.element.hidden = lines.length === 0;
  }

  /** A file that cannot be read is no choice. */
  #forget(language) {
    this.#tracks.get(language)?.remove();
    this.#tracks.delete(language);
    if (this.#shown === language) this.#show("");
    else this.emit("change", {});
  }
}

/** The track in the language, or in another kind of it: `en` for `en-GB`. */
function likedOf(liked, languages) {
  if (!liked) return "";
  const [base] = liked.split("-");
  return languages.find((each) => each === liked) ?? languages.find((each) => each.split("-")[0] === base) ?? "";
}
