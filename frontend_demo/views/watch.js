/** Owns the page where a lecture plays: the stage, what is said about it, and the other lectures. */

import { attach } from "../client/index.js";
import { newId } from "../client/ids.js";
import { addressesOf } from "./addresses.js";
import { downloadButton } from "./download_button.js";
import { h, icon } from "./element.js";
import { pathOf } from "./next_up.js";
import { savesData } from "./liking.js";
import { itemRow } from "./progress.js";
import { loadEngine, prefetchOnLook, prefetchStart } from "./prefetch.js";
import { emptyView, skeleton } from "./states.js";
import { stage } from "./stage.js";
import { upLink } from "./shell.js";

/** The start of the next lecture is fetched when this much is left of this one. */
const NEXT_MS = 60_000;

/** Most visits end in a lecture: what plays it is fetched when the browser has nothing else to do. */
if (!savesData()) (window.requestIdleCallback ?? setTimeout)(() => loadEngine().catch(() => {}));

/** @returns {Promise<{leave: () => void}>} */
export async function watchView({ api, client, frame, go, main, still, playerChanged, signIn }, id, t) {
  document.title = "Lecture · Playhead";
  main.replaceChildren(h("div", { class: "watch" }, skeleton("stage"), skeleton("row", 4)));
  const addresses = addressesOf({ api, client }, id);
  // Three ways at once: what it is, where its bytes are, and what plays them.
  for (const ahead of [addresses.get(), loadEngine()]) ahead.catch(() => {});
  const item = await api.item(id);
  if (!still()) return {};
  addresses.mustBe(item.version);
  document.title = `${item.title} · Playhead`;
  const video = h("video", { class: "stage__video", playsinline: true, preload: "auto", crossorigin: "anonymous", "aria-label": item.title, poster: addresses.latest?.poster_url });
  const player = attach(video, { client, ...placing(item, t) });
  playerChanged(player);
  let following = null;
  const next = () => following && (() => advance(go, following));
  const theatre = stage({ video, player, client, item, frame, api, signIn, next, addresses, play: newId("play") });
  const keep = downloadButton({ api, item });
  theatre.actions.querySelector(".actions__seen").before(keep.element);
  const page = pageOf(item, theatre);
  main.replaceChildren(page.element);
  const offs = [];
  void api.course(item.course).then(
    (course) => {
      if (!still()) return;
      following = nextAfter(course, item.id);
      theatre.named(course);
      offs.push(page.fill({ course, api, client, player, following }), whenNearEnd(player, item, () => following && void prefetchStart({ api, client }, following)));
    },
    (error) => still() && page.list.replaceChildren(emptyView("The other lectures cannot be listed now", error.message)),
  );
  const leave = () => {
    offs.forEach((off) => off());
    keep.close();
    player.detach();
    theatre.close();
  };
  return { leave };
}

function placing(item, t) {
  const bookmark_ms = t === undefined ? null : Number(t) * 1000;
  const intent = arrivedByAdvance(item.id) ? "advance" : bookmark_ms === null ? "resume" : "bookmark";
  return { item: item.id, version: item.version, intent, at_ms: bookmark_ms, start_ms: item.progress?.position_ms ?? 0 };
}

/** The page of a lecture; its course is filled in when it is known, and nothing moves then. */
function pageOf(item, theatre) {
  const up = h("span", { class: "watch__up" });
  const list = h("aside", { class: "watch__list", "aria-label": "Lectures of this course" }, skeleton("row", 4));
  const element = h(
    "div",
    { class: "watch" },
    theatre.element,
    h(
      "div",
      { class: "watch__about" },
      h("div", { class: "watch__head" }, up, theatre.line.element),
      theatre.line.notes,
      h("h1", { tabindex: "-1" }, item.title),
      theatre.actions,
      theatre.history,
    ),
    list,
    theatre.dock,
  );
  const fill = ({ course, api, client, player, following }) => {
    const items = course.sections.flatMap((section) => section.items);
    const rows = items.map((each) => itemRow(client, each, each.id === item.id ? player : null));
    rows.forEach((row, index) => items[index].id === item.id || prefetchOnLook(row.element, { api, client }, items[index]));
    client.follow(items.map((each) => each.id));
    up.replaceChildren(upLink(`#/courses/${encodeURIComponent(course.id)}`, course.title));
    list.setAttribute("aria-label", `Lectures of ${course.title}`);
    list.replaceChildren(
      h("h2", {}, "In this course"),
      h("ol", { class: "items" }, rows.map((row) => h("li", {}, row.element))),
      following ? h("a", { class: "watch__next", href: pathOf(following) }, `Next: ${following.title}`, icon("chevron")) : "",
    );
    return () => rows.forEach((row) => row.off());
  };
  return { element, list, fill };
}

function whenNearEnd(player, item, act) {
  const timer = setInterval(() => {
    if (player.phase !== "playing" || item.duration_ms - player.position_ms > NEXT_MS) return;
    clearInterval(timer);
    act();
  }, 1_000);
  return () => clearInterval(timer);
}

function nextAfter(course, id) {
  const items = course.sections.flatMap((section) => section.items);
  return items.slice(items.findIndex((each) => each.id === id) + 1).find((each) => pathOf(each)) ?? null;
}

/** The item that was reached because the one before had ended: it continues that user's action (R10). */
let advanced_to = null;

function advance(go, item) {
  advanced_to = item.id;
  go(pathOf(item));
}

function arrivedByAdvance(id) {
  const arrived = advanced_to === id;
  advanced_to = null;
  return arrived;
}
