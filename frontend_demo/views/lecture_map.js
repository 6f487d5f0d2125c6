/**
 * Owns the pictures of a lecture as a line: what has been seen of it, where the student is, what is on offer, and
 * the ways of the runs that competed. Places are shares of the line (`--from`, `--to`, `--part`), set from script.
 */

import { deviceIcon, h } from "./element.js";
import { clock, share, spoken } from "./format.js";

/**
 * @typedef {object} Map
 * @property {number} duration_ms
 * @property {number} position_ms
 * @property {[number, number][]} coverage
 * @property {{position_ms: number, device_name: string} | null} candidate
 */

/** @param {Map} of @returns {HTMLElement} */
export function lectureMap({ duration_ms, position_ms, coverage, candidate }) {
  const seen = coverage.map(([from_ms, to_ms]) => place(h("i", { class: "map__seen" }), { from: from_ms, to: to_ms }, duration_ms));
  const head = place(h("i", { class: "map__head" }), { part: position_ms }, duration_ms);
  const offer = candidate && place(h("i", { class: "map__offer" }), { part: candidate.position_ms }, duration_ms);
  const line = h("span", { class: "map__line", role: "img", "aria-label": spokenMap({ duration_ms, position_ms, coverage, candidate }) }, seen, offer, head);
  const legend = h(
    "p",
    { class: "map__legend", "aria-hidden": "true" },
    h("span", {}, h("i", { class: "map__key map__key--head" }), `You, ${clock(position_ms)}`),
    candidate && h("span", {}, h("i", { class: "map__key map__key--offer" }), `On offer, ${clock(candidate.position_ms)}`),
    coverage.length ? h("span", {}, h("i", { class: "map__key map__key--seen" }), "Seen") : null,
    h("span", { class: "map__total" }, clock(duration_ms)),
  );
  return h("div", { class: "map" }, line, legend);
}

function spokenMap({ duration_ms, position_ms, coverage, candidate }) {
  const seen_ms = coverage.reduce((sum, [from_ms, to_ms]) => sum + to_ms - from_ms, 0);
  const seen = coverage.length ? `, ${Math.round(100 * share(seen_ms, duration_ms))} percent seen` : "";
  const offer = candidate ? `, on offer ${spoken(candidate.position_ms)}` : "";
  return `You are at ${spoken(position_ms)} of ${spoken(duration_ms)}${seen}${offer}.`;
}

/**
 * The ways of runs, one under the other on the same line of time; `outcome` is `won`, `offered`, `lost`, `known` or
 * `quiet`, and `words` say it.
 * @param {{device_kind: string, device_name: string, from_ms: number, position_ms: number, outcome: string,
 *          words: string, sentence: string}[]} runs
 */
export function runLanes(runs, duration_ms) {
  return h("ol", { class: "lanes" }, runs.map((run) => lane(run, duration_ms)));
}

function lane(run, duration_ms) {
  const { device_kind, device_name, from_ms, position_ms, outcome, words, sentence } = run;
  const way = place(h("i", { class: "lane__way" }), { from: Math.min(from_ms, position_ms), to: Math.max(from_ms, position_ms) }, duration_ms);
  const end = place(h("i", { class: "lane__end" }), { part: position_ms }, duration_ms);
  return h(
    "li",
    { class: "lane", data: { outcome } },
    h(
      "p",
      { class: "lane__who" },
      deviceIcon(device_kind),
      h("b", {}, device_name || "A device"),
      h("span", { class: "lane__places" }, Math.abs(position_ms - from_ms) < 1_000 ? clock(position_ms) : `${clock(from_ms)} → ${clock(position_ms)}`),
      h("span", { class: "lane__outcome" }, words),
    ),
    h("span", { class: "lane__line", "aria-hidden": "true" }, way, end),
    sentence ? h("p", { class: "lane__sentence" }, sentence) : null,
  );
}

function place(element, shares, total_ms) {
  for (const [name, ms] of Object.entries(shares)) element.style.setProperty(`--${name}`, share(ms, total_ms).toFixed(5));
  return element;
}
