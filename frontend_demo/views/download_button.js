/** Owns the button that keeps an item on this device: its states, and the choice of a quality. */

import { canKeep, downloads, planOf } from "./offline.js";
import { sizeWords } from "./offline/download.js";
import { h, say, show } from "./element.js";

const KINDS = new Set(["video", "pdf", "text"]);

/**
 * The button of an item; hidden where nothing can be kept.
 * @param {{api: any, item: {id: string, kind: string, title: string}, small?: boolean}} of  `small`: a sign instead
 *        of words, for rows
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function downloadButton({ api, item, small = false }) {
  const words = h("span", {});
  const button = h("button", { class: small ? "keep keep--small" : "keep", type: "button", data: { testid: "download", item: item.id } }, words);
  const problem = h("span", { class: "keep__problem", role: "alert", hidden: true });
  const element = h("span", { class: "keep-box", hidden: !canKeep() || !KINDS.has(item.kind) }, button, problem);
  let stands = { state: "none" };
  const update = async () => {
    if (element.hidden || !api.student) return;
    stands = await downloads.of(api.student.id, item.id);
    button.dataset.state = stands.state;
    const percent = Math.round(100 * (stands.fraction ?? 0));
    const long = { none: "Download", coming: `${percent} % · Cancel`, here: "On this device" };
    const short = { none: "↓", coming: `${percent} %`, here: "✓" };
    say(words, (small ? short : long)[stands.state]);
    button.title = long[stands.state];
    button.setAttribute("aria-label", { none: `Download ${item.title}`, coming: `Cancel the download of ${item.title}, ${percent} percent are here`, here: `${item.title} is on this device: show downloads` }[stands.state]);
    show(problem, Boolean(stands.problem));
    say(problem, stands.problem ?? "");
  };
  button.addEventListener("click", (event) => {
    // It may stand inside a row that is a link.
    event.preventDefault();
    event.stopPropagation();
    if (stands.state === "here") location.hash = "#/downloads";
    else if (stands.state === "coming") stands.cancel();
    else void begin(api, item, button, problem);
  });
  const off = downloads.on("change", () => void update());
  void update();
  return { element, close: off };
}

async function begin(api, item, button, problem) {
  button.disabled = true;
  show(problem, false);
  try {
    const plan = await planOf(api, item.id);
    const quality = plan.choices.length > 1 ? await chosen(plan) : (plan.choices[0]?.name ?? "");
    if (quality !== null) void downloads.start(api, plan, quality);
  } catch (error) {
    say(problem, error.status === 0 ? "The server cannot be reached. Downloads begin when it can." : error.message);
    show(problem, true);
  } finally {
    button.disabled = false;
  }
}

/** Which quality, with what each takes; null: none. @returns {Promise<string | null>} */
function chosen({ item, choices }) {
  const no = h("button", { class: "button button--quiet", type: "button" }, "Cancel");
  const yes = h("button", { class: "button", type: "button", data: { testid: "download-yes" } }, "Download");
  const fit = choices.find((choice) => choice.height <= 720) ?? choices.at(-1);
  const heading = h("h2", { id: "download-title" }, "Download for off line");
  const list = h(
    "fieldset",
    { class: "qualities" },
    h("legend", {}, item.title),
    choices.map((choice) =>
      h(
        "label",
        { class: "quality" },
        h("input", { type: "radio", name: "quality", value: choice.name, checked: choice === fit, data: { testid: `quality-${choice.name}` } }),
        h("span", {}, choice.height ? `${choice.height}p` : choice.name),
        h("span", { class: "quality__size" }, sizeWords(choice.bytes)),
      ),
    ),
  );
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": heading.id, data: { testid: "download-dialog" } }, heading, list, h("p", { class: "dialog__actions" }, no, yes));
  document.body.append(dialog);
  return new Promise((resolve) => {
    let answer = null;
    no.addEventListener("click", () => dialog.close());
    yes.addEventListener("click", () => ((answer = dialog.querySelector("input:checked")?.value ?? null), dialog.close()));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => (dialog.remove(), resolve(answer)));
    dialog.showModal();
  });
}
