/** Owns what is around every view: the bar with the mark, the link's state, and who is signed in. */

import { h, icon, say } from "./element.js";

/**
 * The page's frame. `bare` leaves the bar out: a television shows the lecture and nothing else.
 * @returns {{element: HTMLElement, main: HTMLElement}}
 */
export function shell({ student, client, signOut, bare }) {
  const main = h("main", { id: "main", tabindex: "-1" });
  const element = h("div", { class: `shell${bare ? " shell--bare" : ""}` }, bare ? null : bar(student, client, signOut), main);
  return { element, main };
}

function bar(student, client, signOut) {
  return h(
    "header",
    { class: "bar" },
    h("a", { class: "bar__mark", href: "#/", "aria-label": "Playhead, all courses" }, mark(), h("span", {}, "Playhead")),
    h("span", { class: "bar__space" }),
    linkState(client),
    h(
      "details",
      { class: "menu" },
      h("summary", { class: "avatar", "aria-label": `Signed in as ${student.name}` }, initials(student.name)),
      h(
        "div",
        { class: "menu__body" },
        h("p", { class: "menu__name" }, student.name),
        h("p", { class: "menu__device" }, `This device: ${client.device.name}`),
        h("button", { class: "menu__item", type: "button", on: { click: signOut } }, "Sign out"),
      ),
    ),
  );
}

/** The playhead: a handle and its line. */
export function mark() {
  return h("span", { class: "mark", "aria-hidden": "true" });
}

const WORDS = { connecting: "Connecting", online: "Online", offline: "Offline", refused: "Signed out" };

/** A dot and a word, quiet while all is well. */
function linkState(client) {
  const word = h("span", { class: "link-state__word" });
  const element = h("span", { class: "link-state", role: "status", data: { testid: "link" } }, h("i"), word);
  const update = () => {
    element.dataset.state = client.status;
    say(word, WORDS[client.status]);
  };
  client.on("status", update);
  update();
  return element;
}

function initials(name) {
  const parts = name.trim().split(/\s+/);
  return parts.slice(0, 2).map((part) => [...part][0] ?? "").join("").toUpperCase();
}

/** A link back up. */
export function upLink(href, text) {
  return h("a", { class: "up", href }, icon("back"), text);
}
