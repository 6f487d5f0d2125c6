/** Owns how a file on its way up is shown, and what can be done with it: choose, pause, go on, give up, try again. */

import { forget, send, uploadOf } from "./uploads.js";
import { h, say, show } from "./element.js";
import { meter } from "./progress.js";
import { share } from "./format.js";

/**
 * @param {{item: string | null, purpose: string, accept: string, has: () => boolean,
 *          words: {none: string, there: string, choose: string, again: string},
 *          ready: (upload: import("./upload.js").Upload) => void, told?: (words: string) => void,
 *          more?: () => object}} of  `told`: the state in a word or two; `more`: fields that go with the file
 * @returns {{element: HTMLElement, redraw: () => void, close: () => void}}
 */
export function uploadPanel(editor, { item, purpose, accept, has, words, ready, told = () => {}, more = () => ({}) }) {
  let upload = uploadOf(editor.teaching, editor.course, { item, purpose }, editor.uploads);
  let off = () => {};
  // Only what an item cannot be without asks for attention.
  const is_extra = !["video", "pdf"].includes(purpose);
  const field = h("input", { class: "sr-only", type: "file", accept, tabindex: "-1", "aria-hidden": "true", data: { testid: `file-${purpose}` } });
  const line = meter("Upload");
  const text = h("p", { class: "upload__text" });
  const problem = h("p", { class: "field__problem", role: "alert" });
  const acts = Object.fromEntries(
    [["choose", ""], ["pause", "Pause"], ["go", "Go on"], ["cancel", "Cancel"]].map(([name, label]) => [
      name,
      h("button", { class: `button button--small ${name === "choose" ? "" : "button--quiet"}`, type: "button", data: { testid: `upload-${name}` } }, label),
    ]),
  );
  const element = h("div", { class: "upload", data: { testid: "upload", purpose } }, text, line.element, problem, h("p", { class: "upload__acts" }, ...Object.values(acts)), field);
  const redraw = () => {
    const view = viewOf(upload, has(), words);
    element.dataset.state = upload?.state ?? "none";
    say(text, view.text);
    say(problem, view.problem ?? "");
    show(line.element, view.part !== undefined);
    if (view.part !== undefined) line.update(view.part);
    say(acts.choose, view.choose ?? "");
    acts.choose.classList.toggle("button--quiet", is_extra || has());
    for (const name of Object.keys(acts)) show(acts[name], name === "choose" ? Boolean(view.choose) : Boolean(view.acts?.includes(name)));
    told(view.word);
  };
  const follow = (next) => {
    off();
    upload = next;
    if (!upload) return redraw();
    const offs = [upload.on("change", redraw), upload.on("ready", (done) => (forget(done), ready(done)))];
    off = () => offs.forEach((each) => each());
    upload.wake();
    redraw();
  };
  const take = async (file) => {
    if (!file) return;
    say(problem, "");
    if (upload?.state === "interrupted") {
      if (upload.fits(file)) return void upload.resume(file);
      return say(problem, `That is another file. Choose \u201c${upload.file_name}\u201d again to go on, or cancel and begin anew.`);
    }
    if (file.size === 0) return say(problem, "This file is empty.");
    // The server has to know the item before a file can come for it.
    if (item !== null && !(await editor.keeper.flush())) return say(problem, "The draft is not saved yet; try again when it is.");
    follow(send(editor.teaching, { course: editor.course, item, purpose, file, ...more() }));
  };
  field.addEventListener("change", () => (void take(field.files[0]), (field.value = "")));
  acts.choose.addEventListener("click", () => field.click());
  acts.pause.addEventListener("click", () => (upload.pause(), acts.go.focus()));
  acts.go.addEventListener("click", () => (void upload.resume(), acts.pause.focus()));
  acts.cancel.addEventListener("click", () => {
    const given_up = upload;
    forget(given_up);
    follow(null);
    void given_up.cancel();
    acts.choose.focus();
  });
  droppable(element, (file) => acts.choose.hidden || void take(file));
  follow(upload);
  return { element, redraw, close: () => (off(), upload?.rest()) };
}

/** What is to be seen of an upload: text, word, how far, what can be pressed. */
function viewOf(upload, has, words) {
  if (!upload || upload.state === "ready" || upload.state === "aborted") {
    return { text: has ? words.there : words.none, word: has ? "Ready" : "No file yet", choose: has ? words.again : words.choose };
  }
  const { state, sent_bytes, length_bytes, file_name, fraction, reason } = upload;
  const sent = share(sent_bytes, length_bytes);
  const percent = `${Math.floor(sent * 100)} %`;
  const so_far = `${size(sent_bytes)} of ${size(length_bytes)}`;
  const views = {
    sending: { text: `Sending \u201c${file_name}\u201d: ${so_far}`, word: `Sending, ${percent}`, part: sent, acts: ["pause", "cancel"] },
    waiting: { text: `\u201c${file_name}\u201d waits for the network: ${so_far}`, word: `Waiting, ${percent}`, part: sent, acts: ["pause", "cancel"], problem: reason },
    paused: { text: `\u201c${file_name}\u201d is paused: ${so_far}`, word: `Paused, ${percent}`, part: sent, acts: ["go", "cancel"], problem: reason },
    interrupted: { text: `\u201c${file_name}\u201d was not sent to its end. Choose the same file again: it goes on where it was.`, word: "Interrupted", choose: "Choose the file", acts: ["cancel"] },
    processing: { text: `\u201c${file_name}\u201d is being prepared: ${Math.round(fraction * 100)} %. You can leave this page.`, word: `Preparing, ${Math.round(fraction * 100)} %`, part: fraction },
    failed: { text: `\u201c${file_name}\u201d could not be used.`, word: "Failed", problem: reason, choose: words.choose },
  };
  return views[state];
}

/** A file size: `640 kB`, `12.3 MB`, `1.24 GB`. */
function size(bytes) {
  const units = [[1e9, "GB", 2], [1e6, "MB", 1], [1e3, "kB", 0]];
  const [of, unit, digits] = units.find(([least]) => bytes >= least) ?? [1, "bytes", 0];
  return `${(bytes / of).toFixed(digits)} ${unit}`;
}

/** A file may also be let go over it. */
function droppable(element, take) {
  const over = (on) => (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    element.classList.toggle("upload--over", on);
  };
  element.addEventListener("dragenter", over(true));
  element.addEventListener("dragover", over(true));
  element.addEventListener("dragleave", over(false));
  element.addEventListener("drop", (event) => {
    over(false)(event);
    if (event.dataTransfer?.files.length) take(event.dataTransfer.files[0]);
  });
}
