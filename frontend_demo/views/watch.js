/** Owns the page where a lecture plays: the stage, what is said about it, and the other lectures. */

import { attach } from "../client/index.js";
import { h, icon } from "./element.js";
import { itemRow } from "./progress.js";
import { skeleton } from "./states.js";
import { stage } from "./stage.js";
import { upLink } from "./shell.js";

/** @returns {Promise<{leave: () => void}>} */
export async function watchView({ api, client, frame, go, main, still, playerChanged, signIn }, id, t) {
  document.title = "Lecture · Playhead";
  main.replaceChildren(h("div", { class: "watch" }, skeleton("stage"), skeleton("row", 4)));
  const item = await api.item(id);
  const course = await api.course(item.course);
  if (!still()) return {};
  document.title = `${item.title} · Playhead`;
  const video = h("video", { class: "stage__video", playsinline: true, preload: "auto", crossorigin: "anonymous", "aria-label": item.title });
  const bookmark_ms = t === undefined ? null : Number(t) * 1000;
  const player = attach(video, {
    client,
    item: item.id,
    version: item.version,
    intent: arrivedByAdvance(item.id) ? "advance" : bookmark_ms === null ? "resume" : "bookmark",
    at_ms: bookmark_ms,
    start_ms: item.progress?.position_ms ?? 0,
  });
  playerChanged(player);
  const following = nextAfter(course, item.id);
  const theatre = stage({ video, player, client, item, course, frame, api, signIn, next: following && (() => advance(go, following)) });
  const rows = course.sections.flatMap((section) => section.items.map((each) => itemRow(client, each, each.id === item.id ? player : null)));
  client.follow(course.sections.flatMap((section) => section.items.map((each) => each.id)));
  main.replaceChildren(
    h(
      "div",
      { class: "watch" },
      theatre.element,
      h(
        "div",
        { class: "watch__about" },
        h("div", { class: "watch__head" }, upLink(`#/courses/${encodeURIComponent(course.id)}`, course.title), theatre.line.element),
        theatre.line.notes,
        h("h1", { tabindex: "-1" }, item.title),
        theatre.actions,
        theatre.history,
      ),
      h(
        "aside",
        { class: "watch__list", "aria-label": `Lectures of ${course.title}` },
        h("h2", {}, "In this course"),
        h("ol", { class: "items" }, rows.map((row) => h("li", {}, row.element))),
        following ? h("a", { class: "watch__next", href: `#/watch/${encodeURIComponent(following.id)}` }, `Next: ${following.title}`, icon("chevron")) : null,
      ),
      theatre.dock,
    ),
  );
  const leave = () => {
    rows.forEach((row) => row.off());
    player.detach();
    theatre.close();
  };
  return { leave };
}

function nextAfter(course, id) {
  const videos = course.sections.flatMap((section) => section.items).filter((each) => each.kind === "video");
  return videos[videos.findIndex((each) => each.id === id) + 1] ?? null;
}

/** The item that was reached because the one before had ended: it continues that user's action (R10). */
let advanced_to = null;

function advance(go, item) {
  advanced_to = item.id;
  go(`#/watch/${encodeURIComponent(item.id)}`);
}

function arrivedByAdvance(id) {
  const arrived = advanced_to === id;
  advanced_to = null;
  return arrived;
}
