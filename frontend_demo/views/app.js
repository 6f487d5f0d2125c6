/** Owns the page: signs in, connects the client, and shows the view that the address names. */

import { SignInNeeded, connect } from "../client/index.js";
import { Api } from "./api.js";
import { Frame, tellAround } from "./frame.js";
import { h } from "./element.js";
import { shell } from "./shell.js";
import { arriving } from "./scrolling.js";
import { deviceKind, frame, namespace } from "./place.js";
import { courseView } from "./course.js";
import { forgetDownloads, startOffline } from "./offline.js";
import { homeView } from "./home.js";
import { problemView, signInView } from "./states.js";
import { watchView } from "./watch.js";

/** The pages: address, name (as the navigation knows it), view. What a student may never open loads when it is opened. */
const ROUTES = [
  [/^#\/watch\/([^/?]+)(?:\?t=(\d+))?$/, "watch", watchView],
  [/^#\/read\/([^/?]+)$/, "read", async (...of) => (await import("./read.js")).readView(...of)],
  [/^#\/courses\/([^/?]+)$/, "course", courseView],
  [/^#\/browse(?:\?.*)?$/, "browse", async (...of) => (await import("./browse.js")).browseView(...of)],
  [/^#\/downloads$/, "downloads", async (...of) => (await import("./downloads.js")).downloadsView(...of)],
  [/^#\/teach$/, "teach", async (...of) => (await import("./teaching.js")).teachingView(...of)],
  [/^#\/teach\/([^/?]+)$/, "teach", async (...of) => (await import("./teaching_course.js")).teachingCourseView(...of)],
  [/^#\/teach\/([^/?]+)\/preview$/, "teach", async (...of) => (await import("./teaching_preview.js")).teachingPreviewView(...of)],
  [/^(#\/?)?$/, "home", homeView],
];

const root = document.getElementById("app");
const api = new Api();
let client = null;
let shown = null;
/** The shell that stands around it. */
let around = null;
let turn = 0;

/** For people with a console, and for browser tests. */
window.playhead = { client: null, player: null };

await start();

async function start() {
  const kind = deviceKind();
  document.documentElement.dataset.frame = frame ?? "none";
  window.addEventListener("hashchange", () => void route());
  document.querySelector(".skip").addEventListener("click", skip);
  const problem = await signInFromAddress();
  api.followOtherTabs(otherTab);
  if (problem && frame) tellAround("sign-in", problem);
  if (problem) return showSignIn({ problem: problem.text, back: api.student && (() => void begin(kind)) });
  if (!api.student) return showSignIn();
  await begin(kind);
  void startOffline({ student: () => api.student, player: () => window.playhead.player });
}

/** The address names the page: a link within it goes by the focus alone. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

async function begin(kind) {
  await connectAs(kind);
  await route();
}

/** `#sign-in=<code>`: exchanged, then gone from the address bar and the history. */
async function signInFromAddress() {
  const [, code] = location.hash.match(/^#sign-in=(.+)$/) ?? [];
  if (!code) return null;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    await api.signIn(code);
    return null;
  } catch (error) {
    const useless = error.status >= 400 && error.status < 500;
    return { text: useless ? "It has run out, or a part of it is missing." : error.message, useless };
  }
}

/** Another tab signed out, or signed somebody else in: this one must not go on as before. */
function otherTab(student) {
  if (student === null) return void signOut("You signed out in another tab.");
  if (student.id !== client?.student) return location.reload();
  if (client.status === "refused") client.start();
}

async function connectAs(kind) {
  client = await connect({ student: api.student.id, tickets: api.tickets, device: { kind }, namespace });
  window.playhead.client = client;
  document.documentElement.dataset.device = client.device.kind;
  // A lecture that plays is left alone: its state line offers to sign in, and its journal goes on.
  client.on("status", ({ status, reason }) => status === "refused" && reason?.name === "auth" && !window.playhead.player && showSignIn());
  if (frame) new Frame(client, () => window.playhead.player);
}

async function route() {
  if (location.hash.startsWith("#sign-in=")) return location.reload();
  if (!client) return;
  const mine = (turn += 1);
  const context = { api, client, frame, go, signIn: () => showSignIn(), still: () => mine === turn, playerChanged };
  const [view, name] = match(context);
  const page = shell({ api, client, name, signOut: () => void signOut(), bare: name === "watch" && isTelevision() });
  leave();
  around = page;
  const arrived = arriving();
  root.replaceChildren(page.element);
  try {
    const made = await view(page.main);
    if (mine !== turn) return made.leave?.();
    shown = made;
    arrived();
    // On a lecture's page the player comes before the title: Tab begins there.
    const start = name === "watch" ? page.main : page.main.querySelector("h1");
    start?.focus({ preventScroll: true });
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof SignInNeeded) return showSignIn();
    document.title = "Playhead";
    page.main.replaceChildren(problemView(error, () => void route()));
  }
}

function match(context) {
  for (const [pattern, name, make] of ROUTES) {
    const found = location.hash.match(pattern);
    if (found) return [(main) => make({ ...context, main }, ...found.slice(1).map(decoded)), name];
  }
  const nothing = (main) => {
    main.replaceChildren(problemView({ status: 404, message: "There is no such page." }));
    return {};
  };
  return [nothing, "none"];
}

/** A part of the address; one that is no text (`%E0%A4`) is taken as it stands, and found nowhere. */
function decoded(text) {
  try {
    return text && decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isTelevision() {
  return document.documentElement.dataset.device === "tv";
}

function leave() {
  shown?.leave?.();
  around?.close();
  shown = around = null;
  playerChanged(null);
}

function playerChanged(player) {
  window.playhead.player = player;
}

/** Opens a page; `again` also when it is the one that is open. */
function go(hash, { again = false } = {}) {
  if (again && location.hash === hash) return void route();
  location.hash = hash;
}

async function signOut(why = null) {
  turn += 1;
  leave();
  const student = api.student ?? (client && { id: client.student });
  await client?.close();
  await forgetDownloads(student);
  api.signOut();
  client = null;
  window.playhead.client = null;
  showSignIn({ why });
}

/** `problem`: what was wrong with a link; `why` nobody is signed in any more; `back` for who still is. */
function showSignIn({ problem = null, why = null, back = null } = {}) {
  turn += 1;
  leave();
  root.replaceChildren(h("div", { class: "shell" }, signInView({ problem, why, name: api.student?.name, back })));
}
