/** Owns the list of what was published, and the way back to one of them. */

import { ago } from "./format.js";
import { ask } from "./dialog.js";
import { h, say } from "./element.js";

/** @returns {{element: HTMLElement, published: () => void}} */
export function versions(editor) {
  const list = h("ol", { class: "versions", data: { testid: "versions" } });
  const text = h("p", { class: "panel__text" });
  const element = h("section", { class: "panel", "aria-labelledby": "versions-heading" }, h("h2", { id: "versions-heading" }, "Versions"), text, list);
  const load = async () => {
    try {
      const { versions: found } = await editor.teaching.versions(editor.course);
      say(text, found.length ? "" : "Not published yet. Each time you publish, a version is kept here as it was.");
      const newest_first = [...found].sort((a, b) => b.number - a.number);
      list.replaceChildren(...newest_first.map((version, index) => h("li", {}, versionLine(editor, version, index === 0))));
    } catch (error) {
      say(text, error.message);
    }
  };
  void load();
  return { element, published: () => void load() };
}

function versionLine(editor, { number, published_at, published_by }, is_current) {
  const facts = [published_at && ago(new Date(published_at)), published_by].filter(Boolean).join(" · ");
  const back = h("button", { class: "quiet-link", type: "button", data: { testid: "restore" } }, "Back to this");
  back.addEventListener("click", () => void restore(editor, number));
  return h(
    "div",
    { class: "version", data: { testid: "version", number } },
    h("span", { class: "version__name" }, `Version ${number}`, is_current ? h("span", { class: "badge badge--live" }, "Students see it") : null),
    h("span", { class: "version__facts" }, facts),
    back,
  );
}

async function restore(editor, number) {
  const sure = await ask({
    title: `Make the draft what version ${number} was?`,
    text: ["What you have edited since is replaced. Students see nothing of it until you publish."],
    yes: "Replace the draft",
    testid: "restore-dialog",
  });
  if (!sure) return;
  const { content } = await editor.teaching.version(editor.course, number);
  editor.edit(content, { redraw: true });
  editor.announce(`The draft is what version ${number} was.`);
}
