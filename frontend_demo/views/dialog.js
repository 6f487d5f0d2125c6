/** Owns the question that has to be answered before something is cleared. */

import { h } from "./element.js";

/**
 * Asks; Escape, a click beside it and Cancel say no. The focus goes to Cancel, and back afterwards.
 * @param {{title: string, text: string[], yes: string, testid: string}} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, yes, testid }) {
  const no = h("button", { class: "button button--quiet", type: "button", data: { testid: `${testid}-cancel` } }, "Cancel");
  const sure = h("button", { class: "button", type: "button", data: { testid: `${testid}-yes` } }, yes);
  const heading = h("h2", { id: `${testid}-title` }, title);
  const element = h(
    "dialog",
    { class: "dialog", "aria-labelledby": heading.id, data: { testid } },
    heading,
    ...text.map((line) => h("p", {}, line)),
    h("p", { class: "dialog__actions" }, no, sure),
  );
  document.body.append(element);
  return new Promise((resolve) => {
    let answer = false;
    no.addEventListener("click", () => element.close());
    sure.addEventListener("click", () => ((answer = true), element.close()));
    element.addEventListener("click", (event) => event.target === element && element.close());
    element.addEventListener("close", () => (element.remove(), resolve(answer)));
    element.showModal();
    no.focus();
  });
}
