/** Owns a round button on the picture. */

import { h, icon } from "./element.js";

/** @returns {HTMLButtonElement} */
export function control(name, label, act, data = {}) {
  return h("button", { class: "control", type: "button", "aria-label": label, title: label, data, on: { click: act } }, icon(name));
}

/** Redraws a button only if it shows something else: the icon under a pressed pointer must stay. */
export function draw(element, name, label) {
  if (element.getAttribute("aria-label") === label) return;
  element.replaceChildren(icon(name));
  element.setAttribute("aria-label", label);
  element.title = label;
}
