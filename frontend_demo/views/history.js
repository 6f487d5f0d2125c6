/** Owns the panel that tells how the playhead came to where it is: every change, by which device, and why. */

import { h, icon, say, show } from "./element.js";
import { changeRow } from "./change_row.js";
import { isUndoable } from "./changes.js";
import { nowView } from "./why.js";

/**
 * @param {{player: any, changes: import("./changes.js").Changes, undo: {words: () => string, act: () => void, follow: (update: () => void) => void}}} of
 * @returns {{element: HTMLElement, button: HTMLElement}}
 */
export function historyPanel({ player, changes, undo }) {
  const list = h("ol", { class: "changes", data: { testid: "history-list" } });
  const now = h("div", { class: "history__now" });
  const present = h("section", { class: "history__present", "aria-label": "Now", hidden: true }, h("h3", {}, "Now"), now);
  const note = h("p", { class: "history__note", role: "status" });
  const more = h("button", { class: "button button--quiet button--small", type: "button", hidden: true }, "Earlier");
  const title = h("h2", { id: "history-title", tabindex: "-1" }, "History");
  const element = h("section", { class: "history", id: "history", "aria-labelledby": "history-title", hidden: true, data: { testid: "history" } }, title, present, note, list, more);
  const button = h("button", { class: "action", type: "button", "aria-expanded": "false", "aria-controls": "history", data: { testid: "history-toggle" } }, icon("history"), h("span", {}, "History"));
  const panel = new Panel({ player, changes, undo }, { element, list, present, now, note, more });
  button.addEventListener("click", () => {
    const open = element.hidden;
    show(element, open);
    button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    panel.open();
    element.scrollIntoView({ block: "nearest", behavior: "smooth" });
  });
  more.addEventListener("click", () => void panel.showMore());
  return { element, button };
}

class Panel {
  #of;
  #parts;
  #rows = new Map();
  #next = null;
  #newest = null;

  constructor(of, parts) {
    this.#of = of;
    this.#parts = parts;
    of.changes.on("page", (page) => this.#isOpen && this.#show(page));
    of.undo.follow(() => this.#isOpen && this.#newest?.update(true));
    of.changes.on("problem", ({ error }) => this.#isOpen && this.#regret(error));
  }

  open() {
    say(this.#parts.note, "Looking …");
    void this.#of.changes.look();
  }

  get #isOpen() {
    return !this.#parts.element.hidden;
  }

  #show({ changes, next }) {
    const first_page = this.#rows.size <= changes.length;
    this.#add(changes, { newest: true });
    if (first_page) this.#turnTo(next);
    say(this.#parts.note, changes.length ? "" : this.#nothing());
    void this.#draw();
  }

  /** A place from before changes were written down has no rows. */
  #nothing() {
    const begun = (this.#of.player.head?.rev ?? 0) > 0;
    return begun ? "No changes were written down yet." : "Nothing has moved the playhead of this lecture yet.";
  }

  #regret({ status }) {
    say(this.#parts.note, status === 0 ? "The history is on the server, which cannot be reached now." : "The history cannot be read now.");
  }

  async showMore() {
    try {
      const { changes, next } = await this.#of.changes.earlier(this.#next);
      this.#add(changes, { newest: false });
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
  #add(changes, { newest }) {
    const { list } = this.#parts;
    const fresh = changes.filter((change) => !this.#rows.has(keyOf(change)));
    const rows = fresh.map((change) => {
      const row = changeRow(change, this.#of);
      this.#rows.set(keyOf(change), row);
      return row.element;
    });
    if (newest) list.prepend(...rows);
    else list.append(...rows);
    const undoable = [...list.children].find((row) => isUndoable(row.dataset));
    for (const row of this.#rows.values()) row.update(row.element === undoable);
    this.#newest = [...this.#rows.values()].find((row) => row.element === undoable) ?? null;
  }

  /** The present, at rest: only of now the server knows what was seen and what is on offer. */
  async #draw() {
    const explained = await this.#of.changes.explain(null).catch(() => null);
    const begun = (this.#of.player.head?.rev ?? 0) > 0;
    show(this.#parts.present, explained !== null && begun);
    if (explained) this.#parts.now.replaceChildren(nowView(explained));
  }
}

function keyOf({ rev, what, at }) {
  return `${rev} ${what} ${at}`;
}
