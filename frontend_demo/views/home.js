/** Owns the first page: what to continue, the courses of the student, and a few others. */

import { h, icon, say, show } from "./element.js";
import { clock, plural, share } from "./format.js";
import { emptyView, skeleton } from "./states.js";
import { firstUp, pathOf } from "./next_up.js";
import { latestToContinue, lengthWords, liveUpdates, meter, placeWords, standing, standings } from "./progress.js";
import { pattern, poster } from "./poster.js";
import { prefetchOnLook } from "./prefetch.js";
import { resultCard } from "./result.js";

/** Courses read for "Continue": the rest of a long list is a click away. */
const COURSES_READ = 8;

/** Courses on offer on this page; Browse has all of them. */
const OFFERED = 3;

/** @returns {Promise<{leave: () => void}>} */
export async function homeView({ api, client, frame, go, main, still }) {
  document.title = "Playhead";
  const offs = [];
  const resume = h("div", { class: "home__continue" }, skeleton("continue"));
  const list = h("div", { class: "home__courses" }, skeleton("course", 3));
  const offered = h("section", { class: "home__section", "aria-labelledby": "offered", hidden: true });
  void offer(api, offered);
  main.replaceChildren(
    h("h1", { tabindex: "-1", class: "home__hello" }, `Hello, ${api.student.name.split(/\s+/)[0]}`),
    resume,
    h("section", { class: "home__section", "aria-labelledby": "courses" }, h("h2", { id: "courses" }, "Your courses"), list),
    offered,
  );
  const courses = await api.courses();
  if (!still()) return {};
  list.replaceChildren(
    courses.length
      ? h("ul", { class: "cards" }, courses.map((course) => h("li", {}, courseCard(course))))
      : emptyView("No courses yet", "Find one that you like: it appears here when you enrol.", h("a", { class: "button", href: "#/browse" }, "Browse courses")),
  );
  const items = await itemsOf(api, courses.slice(0, COURSES_READ));
  if (!still()) return {};
  client.follow(items.map((item) => item.id));
  if (frame && items.length) {
    const first = latestToContinue(client, items) ?? firstUp(standings(client, items))?.item;
    if (first && !sessionSaw(frame)) go(pathOf(first));
  }
  offs.push(await continueCard({ api, client, items, resume }));
  return { leave: () => offs.forEach((off) => off()) };
}

/** A framed device opens with the lecture; afterwards its student may walk about. */
let walked = false;
function sessionSaw() {
  const before = walked;
  walked = true;
  return before;
}

async function itemsOf(api, courses) {
  const pages = await Promise.all(courses.map((course) => api.course(course.id).catch(() => null)));
  return pages.filter(Boolean).flatMap((page) =>
    page.sections.flatMap((section) => section.items.map((item) => ({ ...item, course: page }))),
  );
}

/** The item to go on with, or the first one of all; while another device plays it, its place runs along. */
async function continueCard({ api, client, items, resume }) {
  let shown = null;
  let update = () => {};
  const choose = () => {
    const now = standings(client, items);
    const untouched = now.every(({ begun, done }) => !begun && !done);
    const item = untouched ? (firstUp(now)?.item ?? null) : latestToContinue(client, items);
    if (item?.id !== shown?.id) {
      shown = item;
      update = item ? fill(api, client, item, resume, untouched) : (resume.replaceChildren(), () => {});
    }
    update();
  };
  resume.replaceChildren();
  choose();
  return liveUpdates(client, items.map((item) => item.id), choose);
}

function fill(api, client, item, resume, untouched) {
  const label = h("p", { class: "continue__label" });
  const place = h("span", { class: "continue__place" });
  const line = meter(`Progress in ${item.title}`);
  const picture = h("img", { class: "continue__poster", alt: "", decoding: "async" });
  const frame = h("span", { class: "continue__picture" }, picture, h("span", { class: "continue__play" }, icon("play")));
  picture.addEventListener("load", () => picture.classList.add("is-there"));
  void pictureOf(api, item).then((url) => (url ? (picture.src = url) : picture.replaceWith(pattern(item.course.title))));
  const card = h(
    "a",
    { class: "continue", href: pathOf(item), data: { testid: "continue-card", item: item.id } },
    frame,
    h(
      "span",
      { class: "continue__text" },
      label,
      h("span", { class: "continue__title" }, item.title),
      h("span", { class: "continue__course" }, item.course.title),
      h("span", { class: "continue__line" }, line.element, place),
    ),
  );
  prefetchOnLook(card, { api, client }, item);
  resume.replaceChildren(card);
  return () => {
    const now = standing(client, item);
    say(label, now.playing_on ? `Playing on ${now.playing_on}` : now.begun ? "Continue" : untouched ? "Start here" : "Next up");
    label.classList.toggle("is-live", now.playing_on !== null);
    say(place, item.kind === "video" ? `${clock(now.position_ms)} / ${clock(item.duration_ms)}` : now.begun ? placeWords(item, now.position_ms) : lengthWords(item));
    line.update(share(now.position_ms, item.duration_ms));
  };
}

function courseCard(course) {
  const line = meter(`Progress in ${course.title}`);
  line.update(share(course.items_done, course.items_total));
  return h(
    "a",
    { class: "card", href: `#/courses/${encodeURIComponent(course.id)}`, data: { testid: "course" } },
    poster(course),
    h(
      "span",
      { class: "card__text" },
      h("span", { class: "card__title" }, course.title),
      h("span", { class: "card__by" }, course.instructor),
      h("span", { class: "card__about" }, course.description),
      h("span", { class: "card__line" }, line.element, h("span", {}, `${course.items_done} of ${plural(course.items_total, "item")} done`)),
    ),
  );
}

/** A lecture has a picture of its own; everything else has its course's. */
async function pictureOf(api, item) {
  const own = item.kind === "video" ? await api.media(item.id).catch(() => null) : null;
  return own?.poster_url ?? item.course.poster_url;
}

/** Courses the student is not in. Nothing is said if there are none, or if they cannot be had now. */
async function offer(api, section) {
  const { courses } = await api.catalogue({ limit: 12 }).catch(() => ({ courses: [] }));
  const others = courses.filter(({ enrolled }) => !enrolled).slice(0, OFFERED);
  section.replaceChildren(
    h("div", { class: "home__head" }, h("h2", { id: "offered" }, "More to learn"), h("a", { class: "more", href: "#/browse" }, "Browse all", icon("chevron"))),
    h("ul", { class: "cards" }, others.map((course) => h("li", {}, resultCard(course)))),
  );
  show(section, others.length > 0);
}
