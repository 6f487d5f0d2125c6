/** Owns the editor of a course: the draft and its saving, what stands on the page, and what happens between its parts. */

import { SignInNeeded } from "../client/index.js";
import { TeachingApi } from "./teaching_api.js";
import { conflictNotice } from "./teaching_conflict.js";
import { h, icon, say, show } from "./element.js";
import { keeperOf } from "./draft_keepers.js";
import { outline } from "./teaching_outline.js";
import { facts } from "./teaching_facts.js";
import { people } from "./teaching_people.js";
import { publishing } from "./teaching_publish.js";
import { skeleton } from "./states.js";
import { upLink } from "./shell.js";
import { versions } from "./teaching_versions.js";

/** @returns {Promise<{leave: () => void}>} */
export async function teachingCourseView({ api, main, still, signIn }, id) {
  document.title = "Edit · Playhead";
  main.replaceChildren(back(), skeleton("header"), skeleton("row", 5));
  const teaching = new TeachingApi(api);
  const [{ body: draft, etag }, { uploads }] = await Promise.all([teaching.draft(id), teaching.uploads(id).catch(() => ({ uploads: [] }))]);
  if (!still()) return {};
  const editor = new Editor(teaching, draft, etag, uploads, { api, signIn, still });
  const made = page(editor);
  main.replaceChildren(...made.elements);
  document.title = `Edit ${draft.content.title} · Playhead`;
  const leave = () => {
    void editor.leave();
    made.close();
  };
  return { leave };
}

function back() {
  return upLink("#/teach", "Courses you teach");
}

/** What the parts of the page share. */
class Editor {
  /** Called when the document is another one than what the parts show. */
  adopted = [];
  /** Called when it is saved, or not. */
  told = [];

  constructor(teaching, draft, etag, uploads, { api, signIn, still }) {
    Object.assign(this, { teaching, uploads, course: draft.course ?? draft.id, role: draft.role ?? "instructor", number: draft.number ?? 0 });
    const read = async () => {
      const { body, etag: now } = await teaching.draft(this.course);
      return { content: body.content, etag: now };
    };
    const student = api.student.id;
    const save = async (content, from) => {
      // Tried again after the editor was left: never as somebody else who has signed in since.
      if (api.student?.id !== student) throw new SignInNeeded("Somebody else is signed in.");
      try {
        return await teaching.save(this.course, content, from);
      } catch (error) {
        if (error instanceof SignInNeeded && still()) signIn();
        throw error;
      }
    };
    const tell = ({ adopted }) => {
      if (adopted) this.adopted.forEach((act) => act());
      this.told.forEach((act) => act());
    };
    Object.assign(this, keeperOf(student, this.course, { content: draft.content, etag, save, read, tell }));
    this.announcer = h("p", { class: "sr-only", role: "status" });
  }

  get content() {
    return this.keeper.content;
  }

  get may_edit() {
    return this.role === "instructor";
  }

  /** Changes the document. `redraw`: the parts have to show it again, not only the one that changed it. */
  edit(content, { redraw = false } = {}) {
    this.keeper.edit(content);
    if (redraw) this.adopted.forEach((act) => act());
  }

  /** Says to who cannot see it what a press has done. */
  announce(text) {
    say(this.announcer, text);
  }
}

function page(editor) {
  const state = h("p", { class: "teach__state", role: "status", data: { testid: "draft-state" } });
  const conflict = conflictNotice(editor);
  const publish = publishing(editor);
  const preview = h("a", { class: "button button--quiet", href: `#/teach/${encodeURIComponent(editor.course)}/preview`, data: { testid: "preview" } }, icon("eye"), "Preview");
  const title = h("h1", { tabindex: "-1" });
  const parts = [outline(editor), facts(editor), versions(editor), people(editor)];
  const [items, about, past, who] = parts.map((part) => part.element);
  const update = () => {
    say(title, editor.content.title || "Untitled");
    state.dataset.state = editor.keeper.state;
    say(state, stateWords(editor.keeper));
    conflict.update();
    publish.update();
  };
  editor.told.push(update);
  editor.adopted.push(update, ...parts.map((part) => part.redraw).filter(Boolean));
  publish.done = () => parts.forEach((part) => part.published?.());
  update();
  // Assistants look; who may not edit finds nothing that takes an edit.
  const body = h("fieldset", { class: "teach", disabled: !editor.may_edit }, h("legend", { class: "sr-only" }, "The draft"), h("div", { class: "teach__main" }, items), h("div", { class: "teach__side" }, about, past, who));
  const head = h("div", { class: "teach__head" }, h("div", { class: "teach__title" }, title, state), h("div", { class: "teach__acts" }, preview, publish.button));
  const note = editor.may_edit ? null : h("p", { class: "note" }, "You assist in this course: you see the draft, and its instructors edit it.");
  show(publish.button, editor.may_edit);
  return { elements: [back(), head, conflict.element, publish.notice, note, body, editor.announcer].filter(Boolean), close: () => parts.forEach((part) => part.close?.()) };
}

function stateWords({ state, problem }) {
  const words = { saved: "Saved", edited: "Not saved yet", saving: "Saving …", conflict: "Not saved: somebody else changed it" };
  return words[state] ?? `Not saved: ${problem}`;
}
