/**
 * Owns where notices stand: on the picture where there is room, else docked at the foot of the page, so that on
 * a phone nothing ever covers the lecture, and nothing on the page moves when one comes.
 */

import { h } from "./element.js";

/** A picture narrower than this has no room for words. */
const NARROW = "(max-width: 720px)";

/**
 * @param {HTMLElement} stage
 * @param {Array<[HTMLElement, HTMLElement]>} notices  each with its place on the picture
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function dock(stage, notices) {
  const element = h("div", { class: "dock", data: { testid: "dock" } });
  const narrow = matchMedia(NARROW);
  const arrange = () => {
    const docked = narrow.matches && document.fullscreenElement !== stage && document.documentElement.dataset.device !== "tv";
    for (const [notice, home] of notices) {
      const place = docked ? element : home;
      if (notice.parentElement !== place) place.append(notice);
    }
  };
  narrow.addEventListener("change", arrange);
  document.addEventListener("fullscreenchange", arrange);
  arrange();
  const close = () => {
    narrow.removeEventListener("change", arrange);
    document.removeEventListener("fullscreenchange", arrange);
  };
  return { element, close };
}
