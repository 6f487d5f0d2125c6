/**
 * Owns the field one searches with: titles are offered while one types (combobox with a list, ARIA 1.2), Enter
 * searches for what is written.
 */

import { h, icon } from "./element.js";

/** Typing pauses this long before titles are asked for. */
const PAUSE_MS = 150;

/**
 * @param {{value: string, complete: (q: string, signal: AbortSignal) => Promise<{id: string, title: string}[]>,
 *          search: (q: string) => void, open: (course: {id: string, title: string}) => void}} of
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function searchField({ value, complete, search, open }) {
  const list = h("ul", { class: "offers", id: "search-offers", role: "listbox", "aria-label": "Courses", hidden: true });
  const input = h("input", {
    class: "search__input", id: "search", type: "search", role: "combobox", value, placeholder: "What do you want to learn?",
    "aria-label": "Search courses", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list",
    autocomplete: "off", spellcheck: "false", enterkeyhint: "search", maxlength: "200", data: { testid: "search" },
  });
  const element = h(
    "form",
    { class: "search", role: "search" },
    icon("search"),
    input,
    h("button", { class: "button search__go", type: "submit" }, "Search"),
    list,
  );
  const offers = new Offers(input, list, open);
  const asking = new Asking(complete, (found, q) => document.activeElement === input && offers.show(found, q));
  input.addEventListener("input", () => asking.ask(input.value.trim()));
  input.addEventListener("keydown", (event) => {
    if (!offers.press(event.key)) return;
    event.preventDefault();
  });
  input.addEventListener("blur", () => (asking.stop(), offers.hide()));
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    asking.stop();
    offers.hide();
    search(input.value.trim());
  });
  return { element, close: () => asking.stop() };
}

/** Asks for titles when typing pauses; an answer that is no longer wanted is not waited for. */
class Asking {
  #complete;
  #tell;
  #timer = null;
  #request = null;

  constructor(complete, tell) {
    this.#complete = complete;
    this.#tell = tell;
  }

  ask(q) {
    this.stop();
    if (!q) return this.#tell([], q);
    this.#timer = setTimeout(() => void this.#send(q), PAUSE_MS);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#request?.abort();
  }

  async #send(q) {
    const request = (this.#request = new AbortController());
    // Without its offers the field still searches.
    const found = await this.#complete(q, request.signal).catch(() => []);
    if (!request.signal.aborted) this.#tell(found, q);
  }
}

/** The list under the field; the focus stays in the field, the arrows go through the list. */
class Offers {
  #input;
  #list;
  #open;
  #found = [];
  #at = -1;

  constructor(input, list, open) {
    [this.#input, this.#list, this.#open] = [input, list, open];
  }

  show(found, q) {
    this.#found = found;
    this.#list.replaceChildren(...found.map((course, index) => this.#option(course, index, q)));
    this.#point(-1);
    this.#expand(found.length > 0);
  }

  hide() {
    this.#expand(false);
    this.#point(-1);
  }

  /** Whether the key was for the list. */
  press(key) {
    if (this.#list.hidden) return false;
    const last = this.#found.length - 1;
    if (key === "ArrowDown") this.#point(this.#at === last ? -1 : this.#at + 1);
    else if (key === "ArrowUp") this.#point(this.#at === -1 ? last : this.#at - 1);
    else if (key === "Escape") this.hide();
    else if (key === "Enter" && this.#at >= 0) this.#open(this.#found[this.#at]);
    else return false;
    return true;
  }

  #option(course, index, q) {
    const element = h("li", { class: "offers__one", id: `search-offer-${index}`, role: "option", "aria-selected": "false", data: { testid: "offer" } }, ...marked(course.title, q));
    // Before the field loses the focus, which takes the list away.
    element.addEventListener("pointerdown", (event) => event.preventDefault());
    element.addEventListener("click", () => this.#open(course));
    return element;
  }

  #point(at) {
    this.#at = at;
    [...this.#list.children].forEach((option, index) => option.setAttribute("aria-selected", String(index === at)));
    const option = this.#list.children[at];
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.#input.setAttribute("aria-activedescendant", option.id);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  #expand(open) {
    this.#list.hidden = !open;
    this.#input.setAttribute("aria-expanded", String(open));
  }
}

/** The title with what was typed in it standing out, where it stands in it as it was typed. */
function marked(title, q) {
  const at = title.toLowerCase().indexOf(q.toLowerCase());
  if (at < 0 || title.toLowerCase().length !== title.length) return [title];
  return [title.slice(0, at), h("b", {}, title.slice(at, at + q.length)), title.slice(at + q.length)];
}
