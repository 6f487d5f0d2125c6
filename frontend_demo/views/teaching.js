/** Owns the page of who teaches: their courses, and a new one. */

import { TeachingApi, pressed } from "./teaching_api.js";
import { ago, plural } from "./format.js";
import { emptyView, skeleton } from "./states.js";
import { h, icon, say, show } from "./element.js";
import { poster } from "./poster.js";

/** @returns {Promise<{leave?: () => void}>} */
export async function teachingView({ api, main, still, go }) {
  document.title = "Teach · Playhead";
  const list = h("div", {}, skeleton("row", 3));
  const form = newCourse(new TeachingApi(api), go);
  main.replaceChildren(
    h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, "Courses you teach"), form.button),
    form.element,
    list,
  );
  const [me, { courses }] = await Promise.all([api.me(), new TeachingApi(api).courses()]);
  if (!still()) return {};
  show(form.button, me.may_teach);
  const help = me.may_teach ? "Give it a title; you can fill it in at your own pace, and nobody sees it before you publish." : "When you teach or assist in a course, it appears here.";
  list.replaceChildren(
    courses.length
      ? h("ul", { class: "teach-list", data: { testid: "teaching-list" } }, courses.map((course) => h("li", {}, courseLine(course))))
      : emptyView(me.may_teach ? "Make your first course" : "No courses", help),
  );
  return {};
}

function courseLine(course) {
  const facts = [
    course.role && course.role !== "instructor" ? "You assist" : "",
    plural(course.items_total ?? 0, "item"),
    course.updated_at ? `edited ${ago(new Date(course.updated_at))}` : "",
  ];
  return h(
    "a",
    { class: "result result--small", href: `#/teach/${encodeURIComponent(course.id)}`, data: { testid: "teaching-course", course: course.id } },
    poster(course),
    h(
      "span",
      { class: "result__text" },
      h("span", { class: "result__head" }, h("span", { class: "result__title" }, course.title || "Untitled"), publishedBadge(course)),
      h("span", { class: "result__facts" }, facts.filter(Boolean).map((fact) => h("span", {}, fact))),
    ),
    icon("chevron"),
  );
}

/** Whether students see the course, and whether there is something they do not see yet. */
export function publishedBadge({ number, changed }) {
  if (!number) return h("span", { class: "badge badge--draft" }, "Draft");
  return h("span", { class: `badge ${changed ? "badge--draft" : "badge--live"}` }, changed ? `Version ${number}, changes not published` : `Published, version ${number}`);
}

/** The button, and the form it opens. */
function newCourse(teaching, go) {
  const title = h("input", { class: "field__input", id: "new-title", type: "text", maxlength: "200", required: true, autocomplete: "off", data: { testid: "new-course-title" } });
  const problem = h("p", { class: "field__problem", role: "alert" });
  const make = h("button", { class: "button", type: "submit" }, "Make the course");
  const create = pressed(teaching.create);
  const cancel = h("button", { class: "button button--quiet", type: "button" }, "Cancel");
  const element = h(
    "form",
    { class: "panel new-course", hidden: true },
    h("label", { class: "field" }, h("span", { class: "field__label" }, "Title of the course"), title),
    problem,
    h("p", { class: "panel__acts" }, cancel, make),
  );
  const button = h("button", { class: "button", type: "button", data: { testid: "new-course" } }, icon("plus"), "New course");
  button.addEventListener("click", () => (show(element, true), title.focus()));
  cancel.addEventListener("click", () => (show(element, false), button.focus()));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!title.value.trim()) return title.focus();
    make.disabled = true;
    say(problem, "");
    try {
      const made = await create(title.value.trim());
      go(`#/teach/${encodeURIComponent(made.course ?? made.id)}`);
    } catch (error) {
      say(problem, error.message);
      make.disabled = false;
    }
  });
  return { button, element };
}
