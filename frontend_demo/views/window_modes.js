/** Owns how the picture is shown: in the page, over the full screen, or in a small window over other programs. */

import { control, draw } from "./control.js";

/** @returns {{element: HTMLElement, toggle: () => void, of: (stage: HTMLElement) => void}} */
export function fullscreenControl(video) {
  let stage = null;
  const toggle = () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (stage?.requestFullscreen) stage.requestFullscreen().catch(() => {});
    else video.webkitEnterFullscreen?.();
  };
  const element = control("fullscreen", "Full screen", toggle, { testid: "fullscreen" });
  const of = (given) => {
    stage = given;
    stage.addEventListener("fullscreenchange", () => {
      const on = document.fullscreenElement === stage;
      draw(element, on ? "window" : "fullscreen", on ? "Leave full screen" : "Full screen");
    });
  };
  return { element, toggle, of };
}

/** Hidden where the browser has no such window. @returns {{element: HTMLElement, toggle: () => void}} */
export function pipControl(video) {
  const can = document.pictureInPictureEnabled === true;
  const toggle = () => {
    if (!can) return;
    if (document.pictureInPictureElement) void document.exitPictureInPicture();
    else video.requestPictureInPicture().catch(() => {});
  };
  const element = control("pip", "Picture in picture", toggle, { testid: "pip" });
  element.hidden = !can;
  element.classList.add("control--pip");
  element.setAttribute("aria-pressed", "false");
  for (const [name, on] of [["enterpictureinpicture", true], ["leavepictureinpicture", false]]) {
    video.addEventListener(name, () => element.setAttribute("aria-pressed", String(on)));
  }
  return { element, toggle };
}
