/** Owns the passing word on the picture: who took over, where it went on, what an undo brought back. */

import { h, show } from "./element.js";

/** How long it stays, unless it says that it `stays`. */
const TOAST_MS = 7_000;

/**
 * `pass` takes a word away that is of the action before. One that `stays` has no end of its own, and one that
 * `keeps` is not passed over either.
 * @returns {{element: HTMLElement, say: (content: any[], how?: {stays?: boolean, keeps?: boolean}) => void,
 *            pass: () => void, close: () => void}}
 */
export function toastBox() {
  const element = h("div", { class: "stage__toast", role: "status", hidden: true, data: { testid: "toast" } });
  let timer = null;
  let kept = false;
  const close = () => (clearTimeout(timer), show(element, false));
  const tell = (content, { stays = false, keeps = false } = {}) => {
    element.replaceChildren(...content);
    show(element, true);
    clearTimeout(timer);
    kept = keeps;
    if (!stays) timer = setTimeout(close, TOAST_MS);
  };
  const pass = () => !kept && close();
  return { element, say: tell, pass, close };
}
