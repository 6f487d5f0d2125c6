/** Owns publishing: what students will see that they do not see now, and the press that does it. */

import { changeList } from "./teaching_conflict.js";
import { changesBetween, unfinished } from "./draft_changes.js";
import { h, say, show } from "./element.js";
import { pressed } from "./teaching_api.js";

/** @returns {{button: HTMLElement, notice: HTMLElement, update: () => void, done: () => void}} */
export function publishing(editor) {
  const button = h("button", { class: "button", type: "button", data: { testid: "publish" } }, "Publish");
  const notice = h("p", { class: "note note--good", role: "status", hidden: true, data: { testid: "published" } });
  const part = { button, notice, update: () => (button.disabled = editor.keeper.state === "conflict"), done: () => {} };
  button.addEventListener("click", async () => {
    button.disabled = true;
    const published = await review(editor).catch((error) => (tell(notice, error.message, false), null));
    part.update();
    if (published === null) return;
    editor.number = published;
    // The draft has the versions by now that publishing gave its texts and quizzes.
    await editor.keeper.pull().catch(() => {});
    tell(notice, `Version ${published} is published. `, true, h("a", { href: `#/courses/${encodeURIComponent(editor.course)}` }, "See the course"));
    part.done();
  });
  return part;
}

function tell(notice, words, good, ...more) {
  notice.classList.toggle("note--good", good);
  notice.replaceChildren(words, ...more);
  show(notice, true);
}

/** Saves, shows what would change, and publishes if the answer is yes. Gives the number of the version, or null. */
async function review(editor) {
  if (!(await editor.keeper.flush())) throw new Error("The draft is not saved yet; publish it when it is.");
  const before = editor.number ? (await editor.teaching.version(editor.course, editor.number)).content : null;
  const changes = changesBetween(before, editor.content);
  const missing = unfinished(editor.content);
  return new Promise((resolve) => showReview({ changes, missing, editor, resolve }));
}

function showReview({ changes, missing, editor, resolve }) {
  const no = h("button", { class: "button button--quiet", type: "button" }, "Not yet");
  const is_ready = changes.length > 0 && missing.length === 0;
  const yes = h("button", { class: "button", type: "button", data: { testid: "publish-yes" } }, `Publish version ${editor.number + 1}`);
  const problem = h("p", { class: "field__problem", role: "alert" });
  const element = h(
    "dialog",
    { class: "dialog dialog--wide", "aria-labelledby": "publish-title", data: { testid: "publish-dialog" } },
    h("h2", { id: "publish-title" }, changes.length ? "What students will see" : "Nothing has changed"),
    changes.length ? changeList(changes) : h("p", {}, `The draft says the same as version ${editor.number}.`),
    missing.length ? h("div", { class: "note", data: { testid: "unfinished" } }, h("p", {}, "Before it can be published:"), changeList(missing)) : null,
    problem,
    h("p", { class: "dialog__actions" }, no, is_ready ? yes : null),
  );
  const publish = pressed(editor.teaching.publish);
  let number = null;
  no.addEventListener("click", () => element.close());
  yes.addEventListener("click", async () => {
    yes.disabled = true;
    say(problem, "");
    try {
      ({ number } = await publish(editor.course, editor.keeper.etag));
      element.close();
    } catch (error) {
      say(problem, error.status === 412 ? "Somebody else has changed the draft meanwhile. Look at it first." : error.message);
      if (error.status === 412) void editor.keeper.pull().catch(() => {});
      yes.disabled = false;
    }
  });
  element.addEventListener("close", () => (element.remove(), resolve(number)));
  document.body.append(element);
  element.showModal();
  (is_ready ? yes : no).focus();
}
