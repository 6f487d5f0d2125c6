/**
 * Opens the pages without a network, and answers for what the student has downloaded. Registered with the first
 * download and not before. The server writes the version of the pages into this file, so that a new version of any
 * of them is a new worker, which comes with files of its own.
 */

import { ShellCache } from "/views/offline/shell_cache.js";
import { answer, isKept } from "/views/offline/answers.js";
import { answered } from "/views/offline/ranges.js";
import { ROOT, keptAt } from "/views/offline/shelf.js";

const shell = new ShellCache("__SHELL_VERSION__");

self.addEventListener("install", (event) => event.waitUntil(shell.install()));

self.addEventListener("activate", (event) => event.waitUntil(shell.activate().then(() => self.clients.claim())));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== self.location.origin || request.method !== "GET") return;
  if (pathname.startsWith(ROOT)) event.respondWith(fromShelf(request, pathname));
  else if (ShellCache.holds(pathname)) event.respondWith(fromShell(request, pathname));
  else if (isKept(request)) event.respondWith(answer(request));
});

/** `later`: keep what PDFs need. `alone`: take over, if the page that asks is the only one. */
self.addEventListener("message", (event) => {
  const reply = (said) => event.ports[0]?.postMessage(said);
  const act = { later: () => shell.installLater(), alone: takeOverAlone }[event.data];
  if (act) event.waitUntil(act().then(() => reply({ ok: true }), (error) => reply({ ok: false, message: error.message })));
});

async function fromShell(request, pathname) {
  return (await shell.match(pathname)) ?? fetch(request);
}

async function fromShelf(request, pathname) {
  const kept = await keptAt(pathname);
  return kept ? answered(kept, request) : new Response("Nothing of that name is kept on this device.", { status: 404 });
}

/** A page is made of one version: nobody's worker is changed under their feet. */
async function takeOverAlone() {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (pages.length <= 1) await self.skipWaiting();
}
