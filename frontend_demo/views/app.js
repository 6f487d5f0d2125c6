/** Owns the page: signs in, connects the client, and shows the view that the address names. */

import { SignInNeeded, connect } from "../client/index.js";
import { Api } from "./api.js";
import { Frame } from "./frame.js";
import { h } from "./element.js";
import { shell } from "./shell.js";
import { deviceKind, frame, namespace } from "./place.js";
import { courseView } from "./course.js";
import { homeView } from "./home.js";
import { problemView, signInView } from "./states.js";
import { watchView } from "./watch.js";

const ROUTES = [
  [/^#\/watch\/([^/?]+)(?:\?t=(\d+))?$/, (context, item, t) => watchView(context, decodeURIComponent(item), t)],
  [/^#\/courses\/([^/?]+)$/, (context, course) => courseView(context, decodeURIComponent(course))],
  [/^(#\/?)?$/, (context) => homeView(context)],
];

const root = document.getElementById("app");
const api = new Api();
let client = null;
let shown = null;
let turn = 0;

/** For people with a console, and for browser tests. */
window.playhead = { client: null, player: null };

await start();

async function start() {
  const kind = deviceKind();
  document.documentElement.dataset.frame = frame ?? "none";
  window.addEventListener("hashchange", () => void route());
  const problem = await signInFromAddress();
  if (!api.student) return showSignIn(problem);
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
    return error.status === 401 ? "This sign-in link has run out." : error.message;
  }
}

async function connectAs(kind) {
  client = await connect({ student: api.student.id, tickets: api.tickets, device: { kind }, namespace });
  window.playhead.client = client;
  document.documentElement.dataset.device = client.device.kind;
  client.on("status", ({ status, reason }) => status === "refused" && reason?.name === "auth" && showSignIn());
  if (frame) new Frame(client, () => window.playhead.player);
}

async function route() {
  if (location.hash.startsWith("#sign-in=")) return location.reload();
  if (!client) return;
  const mine = (turn += 1);
  const context = { api, client, frame, go, still: () => mine === turn, playerChanged };
  const [view, name] = match(context);
  const page = shell({ student: api.student, client, signOut, bare: name === "watch" && isTelevision() });
  leave();
  root.replaceChildren(page.element);
  try {
    const made = await view(page.main);
    if (mine !== turn) return made.leave?.();
    shown = made;
    // On a lecture's page the player comes before the title: Tab begins there.
    const start = name === "watch" ? page.main : page.main.querySelector("h1");
    start?.focus({ preventScroll: true });
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof SignInNeeded) return showSignIn();
    page.main.replaceChildren(problemView(error, () => void route()));
  }
}

function match(context) {
  for (const [pattern, make] of ROUTES) {
    const found = location.hash.match(pattern);
    if (!found) continue;
    const view = (main) => make({ ...context, main }, ...found.slice(1));
    return [view, make === ROUTES[0][1] ? "watch" : "page"];
  }
  const nothing = (main) => {
    main.replaceChildren(problemView({ status: 404, message: "There is no such page." }));
    return {};
  };
  return [nothing, "page"];
}

function isTelevision() {
  return document.documentElement.dataset.device === "tv";
}

function leave() {
  shown?.leave?.();
  shown = null;
  playerChanged(null);
}

function playerChanged(player) {
  window.playhead.player = player;
}

function go(hash) {
  location.hash = hash;
}

async function signOut() {
  leave();
  await client?.close();
  api.signOut();
  client = null;
  window.playhead.client = null;
  showSignIn();
}

function showSignIn(problem = null) {
  turn += 1;
  leave();
  root.replaceChildren(h("div", { class: "shell" }, signInView(problem)));
}
