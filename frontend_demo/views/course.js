/** Owns the page of one course: what it is, how far the student is, and its items. */

import { h, say } from "./element.js";
import { length, plural, share } from "./format.js";
import { itemRow, latestToContinue, liveUpdates, meter, standing } from "./progress.js";
import { poster } from "./home.js";
import { skeleton, emptyView } from "./states.js";
import { upLink } from "./shell.js";

/** @returns {Promise<{leave: () => void}>} */
export async function courseView({ api, client, main, still }, id) {
  document.title = "Course · Playhead";
  main.replaceChildren(upLink("#/", "All courses"), skeleton("header"), skeleton("row", 6));
  const course = await api.course(id);
  if (!still()) return {};
  document.title = `${course.title} · Playhead`;
  const items = course.sections.flatMap((section) => section.items);
  client.follow(items.map((item) => item.id));
  const rows = [];
  const sections = course.sections.map((section) => sectionList(client, section, rows));
  const head = header(client, course, items);
  main.replaceChildren(
    upLink("#/", "All courses"),
    head.element,
    items.length ? h("div", { class: "sections" }, sections) : emptyView("Nothing here yet", "This course has no lectures so far."),
  );
  const off = liveUpdates(client, items.map((item) => item.id), head.update);
  return { leave: () => (off(), rows.forEach((row) => row.off())) };
}

function header(client, course, items) {
  const line = meter(`Progress in ${course.title}`);
  const said = h("span", { class: "course__said" });
  const action = h("a", { class: "button", data: { testid: "course-continue" } });
  const total_ms = items.reduce((sum, item) => sum + item.duration_ms, 0);
  const update = () => {
    const done = items.filter((item) => standing(client, item).done).length;
    line.update(share(done, items.length));
    say(said, `${done} of ${plural(items.length, "item")} done`);
    const next = latestToContinue(client, items) ?? items.find((item) => item.kind === "video" && !standing(client, item).done);
    action.hidden = !next;
    if (!next) return;
    action.href = `#/watch/${encodeURIComponent(next.id)}`;
    say(action, standing(client, next).begun ? `Continue: ${next.title}` : `Start: ${next.title}`);
  };
  update();
  const element = h(
    "header",
    { class: "course" },
    poster(course),
    h(
      "div",
      { class: "course__text" },
      h("h1", { tabindex: "-1" }, course.title),
      h("p", { class: "course__by" }, [course.instructor, length(total_ms)].filter(Boolean).join(" · ")),
      h("p", { class: "course__about" }, course.description),
      h("p", { class: "course__line" }, line.element, said),
      action,
    ),
  );
  return { element, update };
}

function sectionList(client, section, rows) {
  const made = section.items.map((item) => itemRow(client, item));
  rows.push(...made);
  return h(
    "section",
    { class: "section" },
    section.title ? h("h2", {}, section.title) : null,
    h("ol", { class: "items" }, made.map((row) => h("li", {}, row.element))),
  );
}
