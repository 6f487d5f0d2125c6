/** Owns the page of downloads: what is on this device, how much it takes, and how it goes away again. */

import { ask } from "./dialog.js";
import { canKeep, downloads } from "./offline.js";
import { sizeWords } from "./offline/download.js";
import { h, icon, say } from "./element.js";
import { emptyView } from "./states.js";
import { upLink } from "./shell.js";

/** @returns {Promise<{leave: () => void}>} */
export async function downloadsView({ api, main, still }) {
  document.title = "Downloads · Playhead";
  const room = h("p", { class: "downloads__room", data: { testid: "room" } });
  const list = h("div", { class: "downloads" });
  const heading = h("h1", { tabindex: "-1" }, "Downloads");
  main.replaceChildren(upLink("#/", "All courses"), heading, room, list);
  if (!canKeep()) {
    list.replaceChildren(emptyView("Nothing can be kept here", "This browser has no service worker or no storage for this site. Everything else works as always."));
    return {};
  }
  let turn = 0;
  const update = async () => {
    const mine = (turn += 1);
    const here = await downloads.list(api.student.id);
    const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.().catch(() => ({}))) ?? {};
    if (!still() || mine !== turn) return;
    const kept_bytes = here.reduce((sum, slip) => sum + slip.bytes, 0);
    say(room, quota ? `${sizeWords(kept_bytes)} downloaded; this browser lends Playhead ${sizeWords(Math.max(0, quota - usage))} more.` : "");
    const { coming } = downloads;
    const rows = [...coming.map(comingRow), ...here.map((slip) => keptRow(api, slip))];
    const shown = rows.length
      ? h("ul", { class: "items" }, rows.map((row) => h("li", {}, row)))
      : emptyView("Nothing downloaded", "Lectures, documents and texts have a Download button. What you download opens here without a network.");
    replaced(list, shown, rows, heading);
  };
  const off = downloads.on("change", () => void update());
  await update();
  return { leave: off };
}

/** Puts new rows in the place of the old ones; the focus stays in its row, and goes to the heading if that has gone. */
function replaced(list, shown, rows, heading) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const item = focused?.closest("[data-item]")?.dataset.item;
  list.replaceChildren(shown);
  if (!focused) return;
  const row = rows.find((each) => each.dataset.item === item);
  (row?.querySelector(focused.localName) ?? row?.querySelector("button") ?? heading).focus({ preventScroll: true });
}

function comingRow({ item, title, fraction, problem, cancel }) {
  const act = problem ? () => downloads.dismiss(item) : cancel;
  const part = h("span", { class: "meter", role: "progressbar", "aria-label": `Download of ${title}`, "aria-valuenow": String(Math.round(fraction * 100)), "aria-valuemin": "0", "aria-valuemax": "100" }, h("i"));
  part.firstElementChild.style.setProperty("--part", String(fraction));
  return h(
    "div",
    { class: "kept", data: { testid: "coming", item } },
    h("span", { class: "kept__title" }, title, problem ? h("span", { class: "kept__problem", role: "alert" }, problem) : part),
    h("button", { class: "button button--quiet button--small", type: "button", on: { click: act } }, problem ? "Close" : "Cancel"),
  );
}

function keptRow(api, slip) {
  const href = slip.kind === "video" ? `#/watch/${encodeURIComponent(slip.item)}` : `#/read/${encodeURIComponent(slip.item)}`;
  const facts = [slip.course_title, slip.quality, sizeWords(slip.bytes)].filter(Boolean).join(" · ");
  const remove = async () => {
    const sure = await ask({ title: `Delete \u201c${slip.title}\u201d from this device?`, text: ["Your place and everything you have seen stay; it can be downloaded again."], yes: "Delete", testid: "delete-dialog" });
    if (sure) await downloads.remove(api.student.id, slip);
  };
  return h(
    "div",
    { class: "kept", data: { testid: "kept", item: slip.item } },
    h("a", { class: "kept__title", href }, icon(slip.kind === "video" ? "play" : "pdf"), h("span", {}, slip.title, h("span", { class: "kept__facts" }, facts))),
    h("button", { class: "button button--quiet button--small", type: "button", "aria-label": `Delete ${slip.title}`, data: { testid: "delete" }, on: { click: () => void remove() } }, "Delete"),
  );
}
