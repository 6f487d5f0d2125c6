/** Owns the editor of a quiz: questions, what one can choose, and what is right. */

import { h, icon } from "./element.js";
import { plural } from "./format.js";

const KINDS = [
  ["one", "One answer is right"],
  ["many", "Several answers are right"],
  ["text", "A word or a number"],
];

/** @returns {{element: HTMLElement, redraw: () => void, words: () => string}} */
export function quizEditor({ content, change, flush }) {
  const questions = () => content().questions ?? [];
  let drawn = null;
  const list = h("ol", { class: "quiz" });
  const more = h("button", { class: "button button--quiet button--small", type: "button", data: { testid: "add-question" } }, icon("plus"), "Add a question");
  const element = h("div", { class: "quiz-editor" }, list, more);
  /** Writes; draws again only what has another shape, so that whoever types goes on typing. */
  const write = (next, { reshape = false } = {}) => {
    drawn = next;
    change({ questions: next }, { redraw: false });
    if (reshape) draw();
  };
  const draw = () => {
    drawn = questions();
    list.replaceChildren(...drawn.map((question, index) => h("li", {}, questionPart(question, index, { questions, write }))));
  };
  more.addEventListener("click", () => {
    const made = { id: freeId("q", questions()), text: "", kind: "one", choices: [{ id: "a", text: "" }, { id: "b", text: "" }], answers: [] };
    write([...questions(), made], { reshape: true });
    list.lastElementChild.querySelector("input").focus();
  });
  element.addEventListener("change", flush);
  const redraw = () => questions() !== drawn && draw();
  draw();
  return { element, redraw, words: () => (questions().length ? plural(questions().length, "question") : "Empty") };
}

function questionPart(question, index, { questions, write }) {
  const now = () => questions()[index];
  const put = (fields, how) => write(questions().map((each, at) => (at === index ? { ...each, ...fields } : each)), how);
  const text = h("input", { class: "field__input", type: "text", value: question.text, placeholder: "What do you ask?", "aria-label": `Question ${index + 1}`, maxlength: "2000", data: { testid: "question" } });
  text.addEventListener("input", () => put({ text: text.value }));
  const kind = h("select", { class: "field__input", "aria-label": `Kind of question ${index + 1}`, data: { testid: "question-kind" } }, kindsFor(question).map(([value, words]) => h("option", { value }, words)));
  kind.value = question.kind;
  kind.addEventListener("change", () => put(asKind(now(), kind.value), { reshape: true }));
  const gone = h("button", { class: "glyph", type: "button", "aria-label": `Take out question ${index + 1}`, title: `Take out question ${index + 1}` }, icon("remove"));
  gone.addEventListener("click", () => write(questions().filter((_, at) => at !== index), { reshape: true }));
  return h(
    "fieldset",
    { class: "question" },
    h("legend", {}, `Question ${index + 1}`),
    h("div", { class: "question__head" }, text, gone),
    kind,
    question.kind === "text" ? acceptedPart(question, index, put) : h("div", { class: "question__choices" }, ...choiceParts(question, index, now, put)),
  );
}

/** A kind of question that only a newer page knows stays what it is. */
function kindsFor({ kind }) {
  return KINDS.some(([known]) => known === kind) ? KINDS : [...KINDS, [kind, kind]];
}

/** The question as another kind: with one right answer at most, or words in place of choices. */
function asKind({ choices, answers }, kind) {
  const known = new Set(choices.map(({ id }) => id));
  if (kind === "text") return { kind, answers: choices.filter(({ id }) => answers.includes(id)).map(({ text }) => text).filter(Boolean), choices: [] };
  const kept = choices.length ? choices : answers.map((text, at) => ({ id: letter(at), text }));
  const right = choices.length ? answers.filter((id) => known.has(id)) : kept.map(({ id }) => id);
  return { kind, choices: kept.length ? kept : [{ id: "a", text: "" }, { id: "b", text: "" }], answers: kind === "one" ? right.slice(0, 1) : right };
}

function choiceParts(question, index, now, put) {
  const rows = question.choices.map((choice, at) => {
    const right = h("input", { type: question.kind === "many" ? "checkbox" : "radio", name: `right-${question.id}-${index}`, checked: question.answers.includes(choice.id), "aria-label": `Choice ${at + 1} is right`, data: { testid: "right" } });
    right.addEventListener("change", () => put({ answers: answersWith(now(), choice.id, right.checked) }));
    const text = h("input", { class: "field__input", type: "text", value: choice.text, placeholder: `Choice ${at + 1}`, "aria-label": `Choice ${at + 1} of question ${index + 1}`, maxlength: "1000", data: { testid: "choice" } });
    text.addEventListener("input", () => put({ choices: now().choices.map((each) => (each.id === choice.id ? { ...each, text: text.value } : each)) }));
    const gone = h("button", { class: "glyph", type: "button", "aria-label": `Take out choice ${at + 1}`, title: `Take out choice ${at + 1}`, disabled: question.choices.length < 2 }, icon("close"));
    gone.addEventListener("click", () => put({ choices: now().choices.filter(({ id }) => id !== choice.id), answers: now().answers.filter((id) => id !== choice.id) }, { reshape: true }));
    return h("div", { class: "choice" }, h("label", { class: "choice__right", title: "Right" }, right), text, gone);
  });
  const more = h("button", { class: "quiet-link", type: "button", data: { testid: "add-choice" } }, "Add a choice");
  more.addEventListener("click", () => put({ choices: [...now().choices, { id: freeId("", now().choices), text: "" }] }, { reshape: true }));
  return [...rows, more];
}

function answersWith({ kind, answers }, id, checked) {
  if (kind !== "many") return [id];
  const others = answers.filter((each) => each !== id);
  return checked ? [...others, id] : others;
}

function acceptedPart(question, index, put) {
  const field = h("input", { class: "field__input", type: "text", value: question.answers.join("; "), placeholder: "Right answers, with ; between them", "aria-label": `Right answers of question ${index + 1}`, data: { testid: "accepted" } });
  field.addEventListener("input", () => put({ answers: field.value.split(";").map((text) => text.trim()).filter(Boolean) }));
  return field;
}

/** An id nobody in the list has: answers of students are kept under it, so one that was taken out is not used again soon. */
function freeId(prefix, list) {
  const taken = new Set(list.map(({ id }) => id));
  for (let at = list.length; ; at += 1) {
    const id = prefix ? `${prefix}${at + 1}` : letter(at);
    if (!taken.has(id)) return id;
  }
}

function letter(at) {
  return at < 26 ? String.fromCharCode(97 + at) : `c${at + 1}`;
}
