/** Owns how a course of the catalogue is shown: as a line of results, and as a card. */

import { h } from "./element.js";
import { courseFacts } from "./course_facts.js";
import { poster } from "./poster.js";

/** A line of results: what was searched for stands out in it. */
export function resultLine(course) {
  return h(
    "a",
    { class: "result", href: pathTo(course), data: { testid: "result", course: course.id } },
    poster(course),
    h(
      "span",
      { class: "result__text" },
      h("span", { class: "result__head" }, h("span", { class: "result__title" }, course.title), course.enrolled ? h("span", { class: "badge" }, "Enrolled") : null),
      course.instructor ? h("span", { class: "result__by" }, course.instructor) : null,
      h("span", { class: "result__about" }, snippet(course)),
      h("span", { class: "result__facts" }, courseFacts(course).map((fact) => h("span", {}, fact))),
    ),
  );
}

/** A course among a few others. */
export function resultCard(course) {
  return h(
    "a",
    { class: "card", href: pathTo(course), data: { testid: "offered", course: course.id } },
    poster(course),
    h(
      "span",
      { class: "card__text" },
      h("span", { class: "card__title" }, course.title),
      h("span", { class: "card__by" }, course.instructor),
      h("span", { class: "card__about" }, course.description),
      h("span", { class: "card__line" }, courseFacts(course).join(" · ")),
    ),
  );
}

/** The words of a course around what was searched for; text only, whatever a course says. */
function snippet({ snippet: parts, description }) {
  if (!parts?.some(({ hit }) => hit)) return [description];
  const words = parts.map(({ text }) => text).join("");
  return [
    description.startsWith(words) || !description.includes(words) ? null : "\u2026 ",
    ...parts.map(({ text, hit }) => (hit ? h("mark", {}, text) : text)),
    description.endsWith(words) || !description.includes(words) ? null : " \u2026",
  ];
}

function pathTo({ id }) {
  return `#/courses/${encodeURIComponent(id)}`;
}
