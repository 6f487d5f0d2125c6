/** Owns what is around every view: the bar with the mark, the link's state, and who is signed in. */

import { h, icon, say, show } from "./element.js";

/**
 * The page's frame. `name` is the page shown; `bare` leaves the bar out: a television shows the lecture and
 * nothing else.
 * @returns {{element: HTMLElement, main: HTMLElement, close: () => void}}
 */
export function shell({ api, client, name, signOut, bare }) {
  const main = h("main", { id: "main", tabindex: "-1" });
  if (bare) return { element: h("div", { class: "shell shell--bare" }, main), main, close: () => {} };
  const link = linkState(client);
  const element = h("div", { class: `shell shell--${name}` }, bar({ api, client, name, link: link.element, signOut }), main);
  return { element, main, close: link.close };
}

function bar({ api, client, name, link, signOut }) {
  const { student } = api;
  return h(
    "header",
    { class: "bar" },
    h("a", { class: "bar__mark", href: "#/", "aria-label": "Playhead, home" }, mark(), h("span", {}, "Playhead")),
    navigation(api, name),
    h("span", { class: "bar__space" }),
    link,
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

const PLACES = [
  ["home", "#/", "home", "Home"],
  ["browse", "#/browse", "search", "Browse"],
  ["downloads", "#/downloads", "download", "Downloads"],
  ["teach", "#/teach", "teach", "Teach"],
];

/** Whether somebody may teach, as last heard: the navigation of the next page begins with it and does not jump. */
let may_teach = null;

/** Where one can go. On a phone it stands at the foot of the page, in reach of the thumb. */
function navigation(api, name) {
  const links = PLACES.map(([of, href, sign, word]) =>
    h("a", { class: "nav__link", href, "aria-current": of === name ? "page" : null, data: { testid: `nav-${of}` } }, icon(sign), h("span", {}, word)),
  );
  const teach = links.at(-1);
  const tell = (may) => show(teach, may || name === "teach");
  tell(may_teach === api.student.id);
  api.me().then((me) => (tell(me.may_teach), (may_teach = me.may_teach ? me.id : null)), () => {});
  return h("nav", { class: "nav", "aria-label": "Pages" }, links);
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
  const close = client.on("status", update);
  update();
  return { element, close };
}

function initials(name) {
  const parts = name.trim().split(/\s+/);
  return parts.slice(0, 2).map((part) => [...part][0] ?? "").join("").toUpperCase();
}

/** A link back up. */
export function upLink(href, text) {
  return h("a", { class: "up", href }, icon("back"), text);
}
