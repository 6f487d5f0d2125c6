/** Owns the choice between two drafts: the one edited here, and the one somebody else has saved meanwhile. */

import { changesBetween } from "./draft_changes.js";
import { h, show } from "./element.js";

/** @returns {{element: HTMLElement, update: () => void}} */
export function conflictNotice({ keeper }) {
  const element = h("section", { class: "conflict", role: "alert", hidden: true, data: { testid: "conflict" } });
  const update = () => {
    const is_new = keeper.state === "conflict" && element.hidden;
    show(element, keeper.state === "conflict");
    if (is_new) element.replaceChildren(...parts(keeper));
  };
  return { element, update };
}

function parts(keeper) {
  const { base, content } = keeper.theirs;
  const button = (whose, words, quiet) =>
    h("button", { class: `button ${quiet ? "button--quiet" : ""}`, type: "button", data: { testid: `take-${whose}` }, on: { click: () => void keeper.resolve(whose) } }, words);
  return [
    h("h2", {}, "Somebody else has changed this course"),
    h("p", {}, "Your edits are not saved. Only one of the two can stand:"),
    h(
      "div",
      { class: "conflict__sides" },
      h("div", {}, h("h3", {}, "Their changes"), changeList(changesBetween(base, content)), button("theirs", "Take theirs, drop mine", true)),
      h("div", {}, h("h3", {}, "Your changes"), changeList(changesBetween(base, keeper.content)), button("mine", "Keep mine, drop theirs", true)),
    ),
  ];
}

/** @param {string[]} changes */
export function changeList(changes) {
  return h("ul", { class: "change-list" }, changes.map((words) => h("li", {}, words)));
}
