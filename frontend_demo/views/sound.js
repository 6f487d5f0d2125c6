/** Owns how loud it is. */

import { control, draw } from "./control.js";
import { h } from "./element.js";
import { like, liking } from "./liking.js";

/** Turning the sound on where it was turned down to nothing. */
const AUDIBLE = 0.5;

/** @returns {{element: HTMLElement, toggle: () => void, louder: (step: number) => void}} */
export function soundControl(video) {
  video.volume = liking().volume;
  const set = (level) => {
    video.volume = Math.min(1, Math.max(0, Math.round(level * 20) / 20));
    video.muted = video.volume === 0;
    if (video.volume > 0) like({ volume: video.volume });
  };
  const toggle = () => {
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) set(AUDIBLE);
  };
  const mute = control("sound", "Mute", toggle, { testid: "mute" });
  const volume = h("input", { class: "volume", type: "range", min: "0", max: "1", step: "0.05", "aria-label": "Volume" });
  const update = () => {
    const level = video.muted ? 0 : video.volume;
    draw(mute, level === 0 ? "muted" : "sound", level === 0 ? "Unmute" : "Mute");
    volume.value = String(level);
    volume.style.setProperty("--part", String(level));
  };
  volume.addEventListener("input", () => set(Number(volume.value)));
  video.addEventListener("volumechange", update);
  update();
  return { element: h("span", { class: "controls__sound" }, mute, volume), toggle, louder: (step) => set(video.volume + step) };
}
