/** Owns the panel that tells how the playhead came to where it is: every change, by which device, and why. */

import { h, icon, say, show } from "./element.js";
import { changeRow } from "./change_row.js";
import { lectureMap } from "./lecture_map.js";

/** After a head that may be a change the panel asks again, so late. */
const SETTLE_MS = 900;

/**
 * @param {{player: any, client: any, changes: import("./changes.js").Changes, item: object, undo: any}} of
 * @returns {{element: HTMLElement, button: HTMLElement, close: () => void}}
 */
export function historyPanel({ player, client, changes, item, undo }) {
  const list = h("ol", { class: "changes", data: { testid: "history-list" } });
  const picture = h("div", { class: "history__map" });
  const note = h("p", { class: "history__note", role: "status" });
  const more = h("button", { class: "button button--quiet button--small", type: "button", hidden: true }, "Earlier");
  const title = h("h2", { id: "history-title", tabindex: "-1" }, "History");
  const element = h("section", { class: "history", id: "history", "aria-labelledby": "history-title", hidden: true, data: { testid: "history" } }, title, picture, note, list, more);
  const button = h("button", { class: "action", type: "button", "aria-expanded": "false", "aria-controls": "history", data: { testid: "history-toggle" } }, icon("history"), h("span", {}, "History"));
  const panel = new Panel({ player, client, changes, item, undo }, { element, list, picture, note, more });
  button.addEventListener("click", () => {
    const open = element.hidden;
    show(element, open);
    button.setAttribute("aria-expanded", String(open));
    if (!open) return panel.rest();
    panel.open();
    element.scrollIntoView({ block: "nearest", behavior: "smooth" });
  });
  more.addEventListener("click", () => void panel.showMore());
  return { element, button, close: () => panel.close() };
}

class Panel {
  #of;
  #parts;
  #rows = new Map();
  #next = null;
  #timer = null;
  #off;

  constructor(of, parts) {
    this.#of = of;
    this.#parts = parts;
    this.#off = of.client.on("head", ({ head, fresh }) => fresh && head.item === of.item.id && this.#soon());
  }

  open() {
    say(this.#parts.note, "Looking …");
    void this.#look();
  }

  rest() {
    clearTimeout(this.#timer);
  }

  close() {
    this.rest();
    this.#off();
  }

  #soon() {
    if (this.#parts.element.hidden) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), SETTLE_MS);
  }

  async #look() {
    try {
      const { changes, next } = await this.#of.changes.page();
      this.#show(changes, { newest: true });
      if (this.#next === null && this.#rows.size <= changes.length) this.#turnTo(next);
      say(this.#parts.note, changes.length ? "" : "Nothing has moved the playhead of this lecture yet.");
      void this.#draw();
    } catch (error) {
      say(this.#parts.note, error.status === 0 ? "The history is on the server, which cannot be reached now." : "The history cannot be read now.");
    }
  }

  async showMore() {
    try {
      const { changes, next } = await this.#of.changes.earlier(this.#next);
      this.#show(changes, { newest: false });
      this.#turnTo(next);
    } catch {
      say(this.#parts.note, "Earlier changes cannot be read now.");
    }
  }

  #turnTo(next) {
    this.#next = next;
    show(this.#parts.more, next !== null && next !== undefined);
  }

  /** Rows that are there stay, with what is open in them. */
  #show(changes, { newest }) {
    const { list } = this.#parts;
    const fresh = changes.filter((change) => !this.#rows.has(keyOf(change)));
    const rows = fresh.map((change) => {
      const row = changeRow(change, this.#of);
      this.#rows.set(keyOf(change), row);
      return row.element;
    });
    if (newest) list.prepend(...rows);
    else list.append(...rows);
    const first = list.firstElementChild;
    for (const row of this.#rows.values()) row.newest(row.element === first);
  }

  async #draw() {
    const head = this.#of.player.head;
    const explained = await this.#of.changes.explain(null).catch(() => null);
    const of = explained ?? head;
    if (!of || !of.duration_ms) return;
    const { duration_ms, position_ms } = of;
    const candidate = explained?.candidate ?? head?.candidate ?? null;
    this.#parts.picture.replaceChildren(lectureMap({ duration_ms, position_ms, coverage: explained?.coverage ?? [], candidate }));
  }
}

function keyOf({ rev, what, at }) {
  return `${rev} ${what} ${at}`;
}
