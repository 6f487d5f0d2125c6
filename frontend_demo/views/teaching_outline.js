/** Owns the outline of a draft: sections and items, added, renamed, moved and taken out, by hand or by keyboard. */

import { NEW_KINDS, addItem, addSection, canMoveItem, changeItem, findItem, moveItem, moveSection, newItem, placeOf, removeItem, removeSection, renameSection } from "./draft_edit.js";
import { KINDS } from "./progress.js";
import { ask } from "./dialog.js";
import { h, icon, kindIcon, say, show } from "./element.js";
import { itemEditor } from "./teaching_item.js";

const NEW_TITLES = { video: "New video", pdf: "New document", text: "New text", quiz: "New quiz", assignment: "New assignment" };

/** Letters and digits at the end of a new item's id. */
const MARK_LENGTH = 10;

/** @returns {{element: HTMLElement, redraw: () => void, close: () => void}} */
export function outline(editor) {
  const sections = h("div", { class: "outline__sections" });
  const more = h("button", { class: "button button--quiet", type: "button", data: { testid: "add-section" } }, icon("plus"), "Add a section");
  const element = h("section", { class: "outline", "aria-labelledby": "outline-heading" }, h("h2", { id: "outline-heading" }, "Outline"), sections, more);
  const rows = new Map();
  const redraw = () => draw(editor, sections, rows);
  more.addEventListener("click", () => {
    editor.edit(addSection(editor.content, ""), { redraw: true });
    sections.lastElementChild.querySelector("input").focus();
  });
  redraw();
  return { element, redraw, close: () => rows.forEach((row) => row.close()) };
}

/** Rows of items that stay are kept as they are, with what is typed and open in them. */
function draw(editor, sections, rows) {
  const focused = document.activeElement;
  const kept = new Set();
  const made = editor.content.sections.map((section, index) => {
    const list = h("ol", { class: "outline__items" }, section.items.map((item) => {
      kept.add(item.id);
      if (!rows.has(item.id)) rows.set(item.id, itemRow(editor, item));
      rows.get(item.id).update();
      return h("li", {}, rows.get(item.id).element);
    }));
    return sectionPart(editor, section, index, list, rows);
  });
  for (const [id, row] of rows) {
    if (kept.has(id)) continue;
    row.close();
    rows.delete(id);
  }
  const typed = focused?.matches("[data-testid=section-title]") ? [...sections.querySelectorAll("[data-testid=section-title]")].indexOf(focused) : -1;
  const at = typed < 0 ? null : focused.selectionStart;
  sections.replaceChildren(...made);
  // Whoever moved a row, or writes a title, holds on to it.
  if (typed >= 0) {
    const title = sections.querySelectorAll("[data-testid=section-title]")[typed];
    title?.focus();
    title?.setSelectionRange(at, at);
  } else if (focused?.isConnected) {
    focused.focus({ preventScroll: true });
  }
}

function sectionPart(editor, section, index, list, rows) {
  const total = editor.content.sections.length;
  const name = section.title || `section ${index + 1}`;
  const title = h("input", { class: "outline__title", type: "text", value: section.title, placeholder: "Title of the section", maxlength: "200", "aria-label": `Title of section ${index + 1}`, autocomplete: "off", data: { testid: "section-title" } });
  title.addEventListener("input", () => editor.edit(renameSection(editor.content, index, title.value)));
  title.addEventListener("change", () => void editor.keeper.flush());
  const move = (by) => {
    editor.edit(moveSection(editor.content, index, by), { redraw: true });
    editor.announce(`${name} is section ${index + by + 1} of ${total}.`);
    focusSection(index + by, by);
  };
  const remove = async () => {
    if (section.items.length && !(await sureOf(section, name))) return;
    editor.edit(removeSection(editor.content, index), { redraw: true });
    editor.announce(`${name} is taken out.`);
    document.querySelector("[data-testid=add-section]").focus();
  };
  return h(
    "section",
    { class: "outline__section", "aria-label": name, data: { testid: "section" } },
    h(
      "header",
      { class: "outline__head" },
      title,
      tool("up", `Move ${name} up`, () => move(-1), { disabled: index === 0, name: "section-up" }),
      tool("down", `Move ${name} down`, () => move(1), { disabled: index === total - 1, name: "section-down" }),
      tool("remove", `Take out ${name}`, () => void remove(), { name: "section-remove" }),
    ),
    list,
    adding(editor, index, name, rows),
  );
}

function focusSection(index, by) {
  const section = document.querySelectorAll("[data-testid=section]")[index];
  const [first, other] = by < 0 ? ["up", "down"] : ["down", "up"];
  const button = section.querySelector(`[data-testid=section-${first}]`);
  (button.disabled ? section.querySelector(`[data-testid=section-${other}]`) : button).focus();
}

function sureOf({ items }, name) {
  return ask({ title: `Take out ${name}?`, text: [`Its ${items.length === 1 ? "item goes" : `${items.length} items go`} with it. What is published stays until you publish again, and what students did is kept.`], yes: "Take it out", testid: "remove-dialog" });
}

/** The row of kinds under a section. */
function adding(editor, section, name, rows) {
  const add = (kind) => {
    const item = newItem(kind, NEW_TITLES[kind], randomMark());
    editor.edit(addItem(editor.content, section, item), { redraw: true });
    editor.announce(`${KINDS[kind]} added to ${name}.`);
    rows.get(item.id).open();
  };
  return h(
    "div",
    { class: "outline__add", role: "group", "aria-label": `Add to ${name}` },
    h("span", { class: "outline__word", "aria-hidden": "true" }, "Add"),
    NEW_KINDS.map((kind) => h("button", { class: "action", type: "button", data: { testid: `add-${kind}` }, on: { click: () => add(kind) } }, kindIcon(kind), KINDS[kind])),
  );
}

function randomMark() {
  return [...crypto.getRandomValues(new Uint8Array(MARK_LENGTH))].map((byte) => (byte % 36).toString(36)).join("");
}

function tool(sign, label, act, { disabled = false, name }) {
  return h("button", { class: "glyph", type: "button", "aria-label": label, title: label, disabled, data: { testid: name }, on: { click: act } }, icon(sign));
}

/** One item: its name, what state it is in, and, opened, what is in it. */
function itemRow(editor, { id, kind }) {
  const now = () => findItem(editor.content, id);
  const title = h("input", { class: "outline__title outline__title--item", type: "text", value: now().title, maxlength: "200", placeholder: "Title", "aria-label": `Title of this ${KINDS[kind] ?? kind}`, autocomplete: "off", data: { testid: "item-title" } });
  const state = h("span", { class: "outline__state", data: { testid: "item-state" } });
  const body = h("div", { class: "outline__body", id: `body-${id}`, hidden: true });
  const toggle = h("button", { class: "glyph", type: "button", "aria-expanded": "false", "aria-controls": body.id, data: { testid: "item-open" } }, icon("down"));
  const inside = itemEditor(editor, { id, kind }, (words) => say(state, words));
  const up = tool("up", "", () => move(-1), { name: "item-up" });
  const down = tool("down", "", () => move(1), { name: "item-down" });
  const gone = tool("remove", "", () => void remove(), { name: "item-remove" });
  const element = h(
    "div",
    { class: "outline__item", data: { testid: "draft-item", item: id, kind } },
    h("div", { class: "outline__row" }, h("span", { class: "item__state" }, kindIcon(kind)), h("div", { class: "outline__name" }, title, state), h("div", { class: "outline__tools" }, up, down, gone, toggle)),
    body,
  );
  const move = (by) => {
    if (!canMoveItem(editor.content, id, by)) return;
    editor.edit(moveItem(editor.content, id, by), { redraw: true });
    const { section, at, of } = placeOf(editor.content, id);
    editor.announce(`${now().title} is ${at + 1} of ${of} in ${editor.content.sections[section].title || `section ${section + 1}`}.`);
    const [pressed, other] = by < 0 ? [up, down] : [down, up];
    if (!element.contains(document.activeElement)) (pressed.disabled ? other : pressed).focus();
  };
  const remove = async () => {
    const sure = await ask({ title: `Take out \u201c${now().title}\u201d?`, text: ["It stays in what is published until you publish again, and what students did in it is kept."], yes: "Take it out", testid: "remove-dialog" });
    if (!sure) return;
    const { section } = placeOf(editor.content, id);
    editor.announce(`${now().title} is taken out.`);
    editor.edit(removeItem(editor.content, id), { redraw: true });
    document.querySelectorAll("[data-testid=section-title]")[section]?.focus();
  };
  const expand = (open) => {
    show(body, open);
    toggle.setAttribute("aria-expanded", String(open));
    if (open && !body.firstChild) body.append(inside.element());
  };
  toggle.addEventListener("click", () => expand(body.hidden));
  title.addEventListener("input", () => (editor.edit(changeItem(editor.content, id, { title: title.value })), label()));
  title.addEventListener("change", () => void editor.keeper.flush());
  element.addEventListener("keydown", (event) => {
    if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    move(event.key === "ArrowUp" ? -1 : 1);
  });
  const label = () => {
    const name = now().title || "this item";
    for (const [button, words] of [[up, `Move ${name} up`], [down, `Move ${name} down`], [gone, `Take out ${name}`], [toggle, `What is in ${name}`]]) {
      button.setAttribute("aria-label", words);
      button.title = words;
    }
  };
  const update = () => {
    if (title.value !== now().title) title.value = now().title;
    up.disabled = !canMoveItem(editor.content, id, -1);
    down.disabled = !canMoveItem(editor.content, id, 1);
    label();
    inside.redraw();
  };
  return { element, update, open: () => (expand(true), title.focus(), title.select()), close: inside.close };
}
