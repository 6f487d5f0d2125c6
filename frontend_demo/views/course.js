/** Owns the page of one course: what it is, how far the student is, and its items. */

import { ask } from "./dialog.js";
import { courseFacts, facetWords } from "./course_facts.js";
import { downloadButton } from "./download_button.js";
import { h, icon, kindIcon, say, show } from "./element.js";
import { plural, share } from "./format.js";
import { firstUp, pathOf } from "./next_up.js";
import { itemRow, latestToContinue, lengthWords, liveUpdates, meter, placeWords, standing, standings } from "./progress.js";
import { poster } from "./poster.js";
import { prefetchOnLook } from "./prefetch.js";
import { skeleton, emptyView } from "./states.js";
import { upLink } from "./shell.js";

/** @returns {Promise<{leave: () => void}>} */
export async function courseView(context, id) {
  const { api, main, still } = context;
  document.title = "Course · Playhead";
  main.replaceChildren(back(), skeleton("header"), skeleton("row", 6));
  const { course, enrolled } = await find(api, id);
  if (!still()) return {};
  document.title = `${course.title} · Playhead`;
  return enrolled ? showEnrolled(context, course) : showOutline(context, course);
}

/** The course as the student has it; as the catalogue tells of it to those who are not in it. */
async function find(api, id) {
  try {
    return { course: await api.course(id), enrolled: true };
  } catch (error) {
    if (error.status !== 404) throw error;
    return { course: await api.catalogueCourse(id), enrolled: false };
  }
}

function back() {
  return upLink("#/", "Your courses");
}

function showEnrolled({ api, client, main, go }, course) {
  const items = course.sections.flatMap((section) => section.items);
  client.follow(items.map((item) => item.id));
  const rows = [];
  const sections = course.sections.map((section) => sectionList(section, (item) => {
    const row = itemRow(client, item);
    const keep = downloadButton({ api, item, small: true });
    prefetchOnLook(row.element, { api, client }, item);
    rows.push(row, { off: keep.close });
    return h("span", { class: "item-line" }, row.element, keep.element);
  }));
  const state = standingOf(client, course, items);
  main.replaceChildren(
    back(),
    header(course, items, [state.line, h("p", { class: "course__acts" }, state.action)]),
    items.length ? h("div", { class: "sections" }, sections) : emptyView("Nothing here yet", "This course has no lectures so far."),
    leaving(api, course, go),
  );
  const off = liveUpdates(client, items.map((item) => item.id), state.update);
  return { leave: () => (off(), rows.forEach((row) => row.off())) };
}

/** How far the student is in the whole course, and what to go on with. */
function standingOf(client, course, items) {
  const bar = meter(`Progress in ${course.title}`);
  const said = h("span", { class: "course__said", data: { testid: "course-done" } });
  const action = h("a", { class: "button", data: { testid: "course-continue" } });
  const update = () => {
    const now = standings(client, items);
    const done = now.filter((each) => each.done).length;
    bar.update(share(done, items.length));
    say(said, `${done} of ${plural(items.length, "item")} done`);
    const next = latestToContinue(client, items) ?? firstUp(now)?.item;
    show(action, Boolean(next));
    if (!next) return;
    action.href = pathOf(next);
    say(action, continueWords(next, standing(client, next), now.some(({ begun, done: is_done }) => begun || is_done)));
  };
  update();
  return { line: h("p", { class: "course__line" }, bar.element, said), action, update };
}

function continueWords(item, { begun, position_ms }, is_under_way) {
  if (begun) return `Continue: ${item.title} at ${placeWords(item, position_ms)}`;
  return `${is_under_way ? "Continue" : "Start"}: ${item.title}`;
}

/** The course for who is not in it: what there is, and a way in. */
function showOutline({ api, main, go }, course) {
  const items = course.sections.flatMap((section) => section.items);
  const problem = h("p", { class: "field__problem", role: "alert" });
  const enrol = h("button", { class: "button", type: "button", data: { testid: "enrol" } }, "Enrol in this course");
  enrol.addEventListener("click", async () => {
    enrol.disabled = true;
    try {
      await api.enrol(course.id);
      go(`#/courses/${encodeURIComponent(course.id)}`, { again: true });
    } catch (error) {
      say(problem, error.message);
      enrol.disabled = false;
    }
  });
  main.replaceChildren(
    upLink("#/browse", "Browse"),
    header(course, items, [h("p", { class: "course__acts" }, enrol), problem]),
    h("div", { class: "sections", data: { testid: "outline" } }, course.sections.map((section) => sectionList(section, outlineRow))),
  );
  return {};
}

/** An item of a course one is not in: what it is, and nothing to press. */
export function outlineRow(item) {
  return h(
    "div",
    { class: "item item--closed", data: { testid: "item", item: item.id, kind: item.kind } },
    h("span", { class: "item__state" }, kindIcon(item.kind)),
    h("span", { class: "item__title" }, item.title),
    h("span", { class: "item__facts" }, h("span", {}, lengthWords(item))),
  );
}

/** The head of a course's page; `parts` is what can be done with it. */
export function header(course, items, parts) {
  const video_ms = items.filter(({ kind }) => kind === "video").reduce((sum, item) => sum + item.duration_ms, 0);
  const facts = courseFacts({ ...course, duration_ms: video_ms || course.duration_ms, items_total: items.length });
  return h(
    "header",
    { class: "course" },
    poster(course),
    h(
      "div",
      { class: "course__text" },
      course.category ? h("p", { class: "course__category" }, facetWords("category", course.category)) : null,
      h("h1", { tabindex: "-1" }, course.title),
      course.instructor ? h("p", { class: "course__by" }, course.instructor) : null,
      course.description ? h("p", { class: "course__about" }, course.description) : null,
      h("ul", { class: "facts-line" }, facts.map((fact) => h("li", {}, fact))),
      ...parts,
    ),
  );
}

/** @param {(item: any) => HTMLElement} row */
export function sectionList(section, row) {
  return h(
    "section",
    { class: "section" },
    section.title ? h("h2", {}, section.title) : null,
    h("ol", { class: "items" }, section.items.map((item) => h("li", {}, row(item)))),
  );
}

function leaving(api, course, go) {
  // Who teaches a course does not leave it by the student's door.
  if (course.role && course.role !== "student") return teachLink(course);
  const button = h("button", { class: "quiet-link", type: "button", data: { testid: "leave-course" } }, "Leave this course");
  button.addEventListener("click", async () => {
    const sure = await ask({
      title: `Leave \u201c${course.title}\u201d?`,
      text: ["It goes from your list. What you have watched is kept, and is there again if you come back."],
      yes: "Leave",
      testid: "leave-dialog",
    });
    if (!sure) return;
    try {
      await api.leave(course.id);
      go("#/");
    } catch (error) {
      button.after(h("p", { class: "field__problem", role: "alert" }, error.message));
    }
  });
  return h("p", { class: "course__foot" }, button);
}

function teachLink({ id }) {
  return h("p", { class: "course__foot" }, h("a", { class: "more", href: `#/teach/${encodeURIComponent(id)}` }, "Edit this course", icon("chevron")));
}
