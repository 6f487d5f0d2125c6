/** Owns the first page: what to continue, and the courses. */

import { h, icon, say } from "./element.js";
import { clock, plural, share } from "./format.js";
import { emptyView, skeleton } from "./states.js";
import { latestToContinue, liveUpdates, meter, standing } from "./progress.js";

/** Courses read for "Continue": the rest of a long list is a click away. */
const COURSES_READ = 8;

/** @returns {Promise<{leave: () => void}>} */
export async function homeView({ api, client, frame, go, main, still }) {
  document.title = "Playhead";
  const offs = [];
  const resume = h("div", { class: "home__continue" }, skeleton("continue"));
  const list = h("div", { class: "home__courses" }, skeleton("course", 3));
  main.replaceChildren(
    h("h1", { tabindex: "-1", class: "home__hello" }, `Hello, ${api.student.name.split(/\s+/)[0]}`),
    resume,
    h("section", { class: "home__section", "aria-labelledby": "courses" }, h("h2", { id: "courses" }, "Your courses"), list),
  );
  const courses = await api.courses();
  if (!still()) return {};
  list.replaceChildren(
    courses.length
      ? h("ul", { class: "cards" }, courses.map((course) => h("li", {}, courseCard(course))))
      : emptyView("No courses yet", "When you are enrolled in a course, it appears here."),
  );
  const items = await itemsOf(api, courses.slice(0, COURSES_READ));
  if (!still()) return {};
  client.follow(items.map((item) => item.id));
  if (frame && items.length) {
    const first = latestToContinue(client, items) ?? items.find((item) => item.kind === "video");
    if (first && !sessionSaw(frame)) go(`#/watch/${encodeURIComponent(first.id)}`);
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

/** The lecture to go on with, or the first one of all; while another device plays it, its place runs along. */
async function continueCard({ api, client, items, resume }) {
  let shown = null;
  let update = () => {};
  const first = items.find((item) => item.kind === "video") ?? null;
  const choose = () => {
    const open = latestToContinue(client, items);
    const item = open ?? (items.some((each) => standing(client, each).begun) ? null : first);
    if (item?.id !== shown?.id) {
      shown = item;
      update = item ? fill(api, client, item, resume) : (resume.replaceChildren(), () => {});
    }
    update();
  };
  resume.replaceChildren();
  choose();
  return liveUpdates(client, items.map((item) => item.id), choose);
}

function fill(api, client, item, resume) {
  const label = h("p", { class: "continue__label" });
  const place = h("span", { class: "continue__place" });
  const line = meter(`Progress in ${item.title}`);
  const picture = h("img", { class: "continue__poster", alt: "", decoding: "async" });
  picture.addEventListener("load", () => picture.classList.add("is-there"));
  api.media(item.id).then(({ poster_url }) => poster_url && (picture.src = poster_url), () => {});
  resume.replaceChildren(
    h(
      "a",
      { class: "continue", href: `#/watch/${encodeURIComponent(item.id)}`, data: { testid: "continue-card" } },
      h("span", { class: "continue__picture" }, picture, h("span", { class: "continue__play" }, icon("play"))),
      h(
        "span",
        { class: "continue__text" },
        label,
        h("span", { class: "continue__title" }, item.title),
        h("span", { class: "continue__course" }, item.course.title),
        h("span", { class: "continue__line" }, line.element, place),
      ),
    ),
  );
  return () => {
    const now = standing(client, item);
    say(label, now.playing_on ? `Playing on ${now.playing_on}` : now.begun ? "Continue" : "Start here");
    label.classList.toggle("is-live", now.playing_on !== null);
    say(place, `${clock(now.position_ms)} / ${clock(item.duration_ms)}`);
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

/** A course's picture, or a quiet pattern with its initial. */
export function poster(course) {
  if (!course.poster_url) return h("span", { class: "poster poster--none", "aria-hidden": "true" }, [...course.title][0] ?? "");
  const picture = h("img", { src: course.poster_url, alt: "", loading: "lazy", decoding: "async" });
  const frame = h("span", { class: "poster" }, picture);
  picture.addEventListener("error", () => frame.replaceWith(poster({ title: course.title })));
  return frame;
}
