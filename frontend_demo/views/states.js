/** Owns the pages that have nothing to show: signed out, empty, broken, still loading. */

import { h, show } from "./element.js";
import { mark } from "./shell.js";
import { namespace } from "./place.js";
import { pasteLink } from "./paste_link.js";

/**
 * Nobody is signed in, or a link was of no use. `back` goes on as `name`, who still is.
 * @param {{problem?: string | null, why?: string | null, name?: string, back?: (() => void) | null}} of
 */
export function signInView({ problem, why, name, back }) {
  const kept = h("p", { class: "notice__more", hidden: true, data: { testid: "journal-kept" } }, "What you watched on this device is kept and will be saved when you are back.");
  void hasJournal().then((has) => show(kept, has));
  const title = problem ? "That link did not work" : (why ?? "Pick up where you left off");
  return h(
    "main",
    { id: "main", tabindex: "-1", class: "notice", data: { testid: "signed-out" } },
    mark(),
    h("h1", { tabindex: "-1" }, title),
    h(
      "p",
      {},
      problem ? `${problem} ` : "",
      "Open your sign-in link to continue. It ends with ",
      h("code", {}, "#sign-in=…"),
      "; the demo prints one for each device.",
    ),
    back ? h("p", { class: "notice__actions" }, h("button", { class: "button", type: "button", on: { click: back } }, `Go on as ${name}`)) : null,
    pasteLink(),
    kept,
  );
}

/** Whether somebody was signed in on this device before: then its journal is there. */
async function hasJournal() {
  const found = (await globalThis.indexedDB?.databases?.().catch(() => [])) ?? [];
  return found.some(({ name }) => name === namespace);
}

/** Something is missing or failed. */
export function problemView(error, again) {
  const missing = error.status === 404;
  const away = error.status === 0;
  const title = missing ? "Nothing here" : away ? "You are offline" : "That did not work";
  const text = missing
    ? "This does not exist, or you are not enrolled in it."
    : away
      ? "The server cannot be reached. What you watched is kept on this device."
      : error.message;
  return h(
    "section",
    { class: "notice", role: "alert" },
    h("h1", { tabindex: "-1" }, title),
    h("p", {}, text),
    h(
      "p",
      { class: "notice__actions" },
      again && !missing ? h("button", { class: "button", type: "button", on: { click: again } }, "Try again") : null,
      away ? h("a", { class: "button button--quiet", href: "#/downloads" }, "Downloads") : null,
      h("a", { class: "button button--quiet", href: "#/" }, "All courses"),
    ),
  );
}

/** Nothing yet, and why; `action` is what helps. */
export function emptyView(title, text, action = null) {
  return h("section", { class: "notice" }, h("h2", {}, title), h("p", {}, text), action && h("p", { class: "notice__actions" }, action));
}

/** Grey shapes of what is coming, so that nothing jumps when it does. */
export function skeleton(kind, count = 1) {
  const shapes = Array.from({ length: count }, () => h("div", { class: `skeleton skeleton--${kind}` }));
  return h("div", { class: `skeletons skeletons--${kind}`, "aria-hidden": "true" }, shapes);
}
