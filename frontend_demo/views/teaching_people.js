/** Owns who teaches and assists in a course: the list, and adding somebody. */

import { h, say } from "./element.js";
import { pressed } from "./teaching_api.js";

const ROLES = [
  ["assistant", "Assistant: reads drafts, grades"],
  ["instructor", "Instructor: edits and publishes"],
  ["student", "Student"],
];

const WORDS = { assistant: "Assistant", instructor: "Instructor", student: "Student" };

/** @returns {{element: HTMLElement}} */
export function people(editor) {
  const list = h("ul", { class: "people" });
  const problem = h("p", { class: "field__problem", role: "alert" });
  const student = h("input", { class: "field__input", type: "text", required: true, maxlength: "64", autocomplete: "off", spellcheck: "false", data: { testid: "person" } });
  const role = h("select", { class: "field__input", data: { testid: "person-role" } }, ROLES.map(([value, words]) => h("option", { value }, words)));
  const form = h(
    "form",
    { class: "people__form" },
    h("label", { class: "field" }, h("span", { class: "field__label" }, "Id of the person"), student),
    h("label", { class: "field" }, h("span", { class: "field__label" }, "Role"), role),
    problem,
    h("button", { class: "button button--quiet button--small", type: "submit" }, "Add"),
  );
  const element = h("details", { class: "panel", data: { testid: "people" } }, h("summary", {}, h("h2", {}, "People")), list, editor.may_edit ? form : null);
  const load = async () => {
    const { people: found } = await editor.teaching.people(editor.course);
    const staff = found.filter((each) => each.role !== "student");
    list.replaceChildren(...staff.map((each) => h("li", {}, h("span", {}, each.name || each.student), h("span", { class: "version__facts" }, WORDS[each.role] ?? each.role))));
  };
  element.addEventListener("toggle", () => element.open && load().catch((error) => say(problem, error.message)));
  const setRole = pressed(editor.teaching.setRole);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say(problem, "");
    try {
      await setRole(editor.course, student.value.trim(), role.value);
      editor.announce(`${student.value.trim()} added.`);
      student.value = "";
      await load();
    } catch (error) {
      say(problem, error.message);
    }
  });
  return { element };
}
