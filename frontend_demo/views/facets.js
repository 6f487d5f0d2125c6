/** Owns the choice of facets: beside the results where there is room, in a drawer from below on a phone. */

import { FACETS, chosen, toggled, unfiltered } from "./browse_state.js";
import { DIFFICULTIES, DURATIONS, facetWords } from "./course_facts.js";
import { h, icon, say } from "./element.js";

/** As wide as app.css has two columns from. */
const NARROW = "(max-width: 860px)";

/** Values shown before "more". */
const SHOWN = 8;

/** Facets whose values have an order of their own; the others come by their count. */
const ORDERS = { difficulty: [...DIFFICULTIES.keys()], duration: [...DURATIONS.keys()] };

/**
 * @param {(wanted: Record<string, string>) => void} choose
 * @returns {{side: HTMLElement, button: HTMLElement, chips: HTMLElement, update: Function, close: () => void}}
 */
export function facetChoice(choose) {
  const groups = h("div", { class: "facets", data: { testid: "facets" } });
  const side = h("aside", { class: "browse__side", "aria-label": "Filters" });
  const done = h("button", { class: "button", type: "button" }, "Show results");
  const drawer = h("dialog", { class: "drawer", "aria-label": "Filters" }, h("p", { class: "drawer__foot" }, done));
  const count = h("span", {}, "Filters");
  const button = h("button", { class: "action browse__filters", type: "button", data: { testid: "filters" }, on: { click: () => drawer.showModal() } }, icon("filter"), count);
  const chips = h("ul", { class: "chips", "aria-label": "Chosen filters" });
  done.addEventListener("click", () => drawer.close());
  drawer.addEventListener("click", (event) => event.target === drawer && drawer.close());
  const narrow = matchMedia(NARROW);
  const arrange = () => {
    if (!narrow.matches && drawer.open) drawer.close();
    if (narrow.matches) drawer.prepend(groups);
    else side.append(groups);
  };
  narrow.addEventListener("change", arrange);
  arrange();
  document.body.append(drawer);
  const update = (wanted, { facets, total_words }) => {
    const at = document.activeElement?.dataset?.facet;
    groups.replaceChildren(...[...FACETS].map(([facet, words]) => group(facet, words, facets[facet] ?? [], wanted, choose)).filter(Boolean));
    // The button that was pressed is another one now: the focus goes to it.
    if (at) groups.querySelector(`[data-facet="${CSS.escape(at)}"]`)?.focus();
    const picked = chosen(wanted);
    say(count, picked.length ? `Filters, ${picked.length} chosen` : "Filters");
    say(done, `Show ${total_words}`);
    chips.replaceChildren(...chipsOf(picked, wanted, choose));
  };
  const close = () => (narrow.removeEventListener("change", arrange), drawer.remove());
  return { side, button, chips, update, close };
}

function group(facet, words, counts, wanted, choose) {
  const values = inOrder(facet, withChosen(counts, wanted[facet]));
  if (!values.length) return null;
  const buttons = values.map(({ value, count }) =>
    h(
      "button",
      { class: "facet", type: "button", "aria-pressed": String(wanted[facet] === value), data: { testid: "facet", facet: `${facet}:${value}` }, on: { click: () => choose(toggled(wanted, facet, value)) } },
      h("span", { class: "facet__word" }, facetWords(facet, value)),
      h("span", { class: "facet__count" }, count.toLocaleString("en")),
    ),
  );
  const rest = buttons.slice(SHOWN);
  return h(
    "section",
    { class: "facets__group", "aria-labelledby": `facet-${facet}` },
    h("h2", { id: `facet-${facet}` }, words),
    ...buttons.slice(0, SHOWN),
    rest.length ? h("details", { open: rest.some((each) => each.ariaPressed === "true") }, h("summary", { class: "facets__more" }, `${rest.length} more`), ...rest) : null,
  );
}

/** What is chosen can always be given up, also where it leaves nothing. */
function withChosen(counts, value) {
  if (!value || counts.some((each) => each.value === value)) return counts;
  return [...counts, { value, count: 0 }];
}

function inOrder(facet, counts) {
  const order = ORDERS[facet];
  const named = counts.filter(({ value }) => value !== "");
  if (!order) return named;
  const place = ({ value }) => (order.includes(value) ? order.indexOf(value) : order.length);
  return [...named].sort((a, b) => place(a) - place(b));
}

function chipsOf(picked, wanted, choose) {
  const chips = picked.map(([facet, value]) => {
    const words = facetWords(facet, value);
    return h(
      "li",
      {},
      h("button", { class: "chosen", type: "button", "aria-label": `Take away ${words}`, on: { click: () => choose(toggled(wanted, facet, value)) } }, words, icon("close")),
    );
  });
  if (picked.length < 2) return chips;
  return [...chips, h("li", {}, h("button", { class: "chosen chosen--all", type: "button", on: { click: () => choose(unfiltered(wanted)) } }, "Clear all"))];
}
