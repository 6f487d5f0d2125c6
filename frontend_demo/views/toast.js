/** Owns the passing word on the picture: who took over, where it went on, what an undo brought back. */

import { h, show } from "./element.js";

/** How long it stays, unless it says that it `stays`. */
const TOAST_MS = 7_000;

/** @returns {{element: HTMLElement, say: (content: any[], how?: {stays?: boolean}) => void, close: () => void}} */
export function toastBox() {
  const element = h("div", { class: "stage__toast", role: "status", hidden: true, data: { testid: "toast" } });
  let timer = null;
  const close = () => (clearTimeout(timer), show(element, false));
  const tell = (content, { stays = false } = {}) => {
    element.replaceChildren(...content);
    show(element, true);
    clearTimeout(timer);
    if (!stays) timer = setTimeout(close, TOAST_MS);
  };
  return { element, say: tell, close };
}
