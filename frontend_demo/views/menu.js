/**
 * Owns a button that opens a list of choices: above the button where there is room, as a sheet at the foot of a
 * phone. The browser's popover puts it over everything and closes it; the keys are those of a menu (ARIA APG).
 */

import { h, icon, say } from "./element.js";

/** Room between a button and its menu, px. */
const GAP = 8;

/**
 * @param {{label: string, face: Node | string, testid: string, choices: () => {value: string, words: string, note?: string}[],
 *          chosen: () => string, choose: (value: string) => void}} of  `choices` are asked each time it opens
 * @returns {{button: HTMLButtonElement, element: HTMLElement, close: () => void, say: (words: string) => void}}
 *          `say` puts words on the button
 */
export function menu({ label, face, testid, choices, chosen, choose }) {
  const words = h("span", { class: "control__words" });
  const button = h(
    "button",
    { class: "control control--menu", type: "button", "aria-label": label, title: label, "aria-haspopup": "menu", "aria-expanded": "false", data: { testid } },
    face ? icon(face) : null,
    words,
  );
  const list = h("div", { class: "sheet__list", role: "menu", "aria-label": label });
  const element = h("div", { class: "sheet", popover: "auto", data: { testid: `${testid}-menu` } }, h("p", { class: "sheet__title", "aria-hidden": "true" }, label), list);
  button.popoverTargetElement = element;
  const pick = (value) => {
    choose(value);
    element.hidePopover();
    button.focus();
  };
  element.addEventListener("beforetoggle", ({ newState }) => {
    if (newState !== "open") return;
    fill(list, choices(), chosen(), pick);
    stand(element, button);
  });
  element.addEventListener("toggle", ({ newState }) => {
    button.setAttribute("aria-expanded", String(newState === "open"));
    if (newState !== "open") return;
    (list.querySelector("[aria-checked=true]") ?? list.firstElementChild)?.focus();
  });
  element.addEventListener("keydown", (event) => walk(event, list, element));
  const tell = (text) => {
    say(words, text);
    button.setAttribute("aria-label", text ? `${label}: ${text}` : label);
  };
  return { button, element, close: () => element.hidePopover?.(), say: tell };
}

function fill(list, choices, chosen, pick) {
  list.replaceChildren(
    ...choices.map(({ value, words, note }) =>
      h(
        "button",
        { class: "sheet__choice", type: "button", role: "menuitemradio", tabindex: "-1", "aria-checked": String(value === chosen), data: { value }, on: { click: () => pick(value) } },
        icon("check"),
        h("span", {}, words),
        note ? h("span", { class: "sheet__note" }, note) : null,
      ),
    ),
  );
}

/** Above the button, flush with it; on a narrow screen the style sheet says where. */
function stand(element, button) {
  const { right, top } = button.getBoundingClientRect();
  element.style.setProperty("--right", `${Math.max(GAP, document.documentElement.clientWidth - right)}px`);
  element.style.setProperty("--bottom", `${Math.max(GAP, window.innerHeight - top + GAP)}px`);
}

/** Up, down, first, last; Tab leaves. Escape is the popover's own. */
function walk(event, list, element) {
  const items = [...list.children];
  const at = items.indexOf(document.activeElement);
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 };
  if (event.key === "Tab") return void element.hidePopover();
  if (!(event.key in steps)) return;
  event.preventDefault();
  items[steps[event.key] % items.length]?.focus();
}
