/** Owns the short clip of a lecture that plays, without a sound, while somebody points at its picture. */

import { h } from "./element.js";
import { savesData } from "./liking.js";

/** Pointing this long means looking; passing over is less. */
const LOOK_MS = 350;

/**
 * Binds the clip to `picture`, which has to be positioned. Nothing is loaded before somebody looks; nothing moves
 * where motion is unwelcome or data is saved.
 * @param {HTMLElement} picture
 * @param {() => Promise<{preview_url?: string | null}>} addresses  as `GET /v1/items/{item}/media` answers
 * @returns {{off: () => void}}
 */
export function preview(picture, addresses) {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = null;
  let clip = null;
  const hide = () => {
    clearTimeout(timer);
    clip?.remove();
    clip = null;
  };
  const play = async () => {
    const { preview_url } = await addresses().catch(() => ({}));
    if (!preview_url || timer === null) return;
    clip = h("video", { class: "preview", src: preview_url, muted: true, autoplay: true, loop: true, playsinline: true, "aria-hidden": "true", tabindex: "-1", data: { testid: "preview" } });
    picture.append(clip);
  };
  const look = ({ pointerType }) => {
    if (pointerType === "touch" || still.matches || savesData()) return;
    hide();
    timer = setTimeout(() => void play(), LOOK_MS);
  };
  const leave = () => {
    hide();
    timer = null;
  };
  const events = { pointerenter: look, pointerleave: leave };
  for (const [name, act] of Object.entries(events)) picture.addEventListener(name, act);
  const off = () => {
    leave();
    for (const [name, act] of Object.entries(events)) picture.removeEventListener(name, act);
  };
  return { off };
}
