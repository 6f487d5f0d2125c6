/** Owns the catalogue's page: what is searched for stands in the address, so that going back shows it again. */

import { SignInNeeded } from "../client/index.js";
import { browseHash, chosen, readBrowse, unfiltered } from "./browse_state.js";
import { facetChoice } from "./facets.js";
import { h, say, show } from "./element.js";
import { resultLine } from "./result.js";
import { searchField } from "./search_field.js";
import { step } from "./scrolling.js";
import { emptyView, problemView, skeleton } from "./states.js";

const PAGE = 20;

/** The search that was open last: who comes back to it finds it as it was, with all pages that were shown. */
let last = { hash: null, student: null, found: null };

/** @returns {Promise<{leave: () => void}>} */
export async function browseView({ api, main, still, go, signIn }) {
  document.title = "Browse · Playhead";
  const results = new Results(api, signIn);
  const facets = facetChoice((wanted) => search(wanted));
  let wanted = readBrowse(location.hash);
  const search = async (next) => {
    wanted = next;
    // A place in the history, but no other page: the field keeps its focus.
    if (browseHash(next) !== location.hash) step(browseHash(next));
    await run();
  };
  const run = () => results.search(wanted, { tell: (found) => facets.update(wanted, found), clear: () => search(unfiltered(wanted)) });
  const field = searchField({
    value: wanted.q,
    complete: async (q, signal) => (await api.complete(q, signal)).courses,
    search: (q) => void search({ ...wanted, q }),
    open: ({ id }) => go(`#/courses/${encodeURIComponent(id)}`),
  });
  main.replaceChildren(
    h("h1", { tabindex: "-1", class: "browse__hello" }, "Browse courses"),
    field.element,
    h("div", { class: "browse" }, facets.side, h("div", { class: "browse__found" }, h("div", { class: "browse__line" }, results.count, facets.button), facets.chips, results.element)),
  );
  const leave = () => {
    results.stop();
    field.close();
    facets.close();
    last = { hash: browseHash(wanted), student: api.student?.id, found: results.found };
  };
  if (last.hash === browseHash(wanted) && last.student === api.student.id && last.found) {
    results.restore(last.found, wanted, { tell: (found) => facets.update(wanted, found), clear: () => search(unfiltered(wanted)) });
  } else {
    void run();
  }
  return still() ? { leave } : (leave(), {});
}

/** The results of one search at a time, page after page. */
class Results {
  element = h("div", { class: "results", data: { testid: "results" } });
  count = h("p", { class: "browse__count", role: "status", data: { testid: "result-count" } });
  found = null;
  #api;
  #signIn;
  #request = null;

  constructor(api, signIn) {
    this.#api = api;
    this.#signIn = signIn;
  }

  async search(wanted, how) {
    this.#request?.abort();
    const request = (this.#request = new AbortController());
    this.element.setAttribute("aria-busy", "true");
    this.element.classList.toggle("results--old", this.found !== null);
    if (!this.found) this.element.replaceChildren(skeleton("result", 5));
    try {
      const page = await this.#api.catalogue({ ...wanted, limit: PAGE }, request.signal);
      if (request.signal.aborted) return;
      this.found = page;
      this.#show(wanted, how);
    } catch (error) {
      if (!request.signal.aborted) this.#fail(error, () => this.search(wanted, how));
    } finally {
      if (!request.signal.aborted) {
        this.element.removeAttribute("aria-busy");
        this.element.classList.remove("results--old");
      }
    }
  }

  restore(found, wanted, how) {
    this.found = found;
    this.#show(wanted, how);
  }

  stop() {
    this.#request?.abort();
  }

  #fail(error, again) {
    if (error instanceof SignInNeeded) return this.#signIn();
    this.found = null;
    say(this.count, "");
    this.element.replaceChildren(problemView(error, again));
  }

  #show(wanted, { tell, clear }) {
    const { courses, facets, total } = this.found;
    const total_words = totalWords(this.found);
    tell({ facets, total_words });
    say(this.count, countWords(this.found, wanted, total_words));
    if (!total) return this.element.replaceChildren(nothing(wanted, clear));
    const list = h("ol", { class: "results__list" }, courses.map((course) => h("li", {}, resultLine(course))));
    this.element.replaceChildren(list, this.#more(list, wanted));
  }

  /** The next page, put behind what is there; the focus goes on with it. */
  #more(list, wanted) {
    const problem = h("p", { class: "field__problem", role: "alert" });
    const button = h("button", { class: "button button--quiet results__more", type: "button", data: { testid: "more-results" } }, "Show more");
    show(button, Boolean(this.found.next));
    button.addEventListener("click", async () => {
      button.disabled = true;
      say(problem, "");
      const before = this.found;
      try {
        const page = await this.#api.catalogue({ ...wanted, limit: PAGE, after: before.next }, this.#request?.signal);
        if (this.found !== before) return;
        this.found = { ...before, courses: [...before.courses, ...page.courses], next: page.next };
        const lines = page.courses.map((course) => h("li", {}, resultLine(course)));
        list.append(...lines);
        lines[0]?.firstElementChild.focus();
        show(button, Boolean(page.next));
      } catch (error) {
        if (error.name !== "AbortError") say(problem, error.message);
      }
      button.disabled = false;
    });
    return h("div", { class: "results__foot" }, button, problem);
  }
}

function totalWords({ total, total_exact = true }) {
  const number = total.toLocaleString("en");
  return `${total_exact ? number : `${number}+`} ${total === 1 && total_exact ? "course" : "courses"}`;
}

function countWords({ total, similar }, { q }, total_words) {
  if (!total) return "";
  if (similar) return `Nothing is called \u201c${q}\u201d. These come close:`;
  return q ? `${total_words} for \u201c${q}\u201d` : total_words;
}

function nothing(wanted, clear) {
  const filtered = chosen(wanted).length > 0;
  const text = filtered
    ? "No course fits all of the filters at once."
    : wanted.q
      ? "Check how it is written, or try a word that says more of what you want to learn."
      : "There are no courses here yet.";
  const button = filtered ? h("button", { class: "button", type: "button", on: { click: clear } }, "Clear the filters") : null;
  return emptyView(wanted.q ? `Nothing found for \u201c${wanted.q}\u201d` : "No courses", text, button);
}
