/**
 * Owns what the worker says in the server's place: an item, its addresses, its course, from what is kept of them.
 * The server is asked first; what it says is kept too, so that a place is as new as the last answer.
 */

import { COURSE, Shelf } from "./shelf.js";

/** A network that says nothing for so long is none. */
const PATIENCE_MS = 4_000;

const ITEM_PATH = /^\/v1\/items\/([^/]+)(\/media|\/document)?$/;
const COURSE_PATH = /^\/v1\/courses\/([^/]+)$/;

/** Whether the answer to this request may be kept: then `answer` gives it. */
export function isKept({ method, url, headers }) {
  const { pathname } = new URL(url);
  return method === "GET" && headers.has("Authorization") && (ITEM_PATH.test(pathname) || COURSE_PATH.test(pathname));
}

/** @param {Request} request @param {{fetch?: typeof fetch, storage?: CacheStorage}} [parts] */
export async function answer(request, { fetch = globalThis.fetch, storage } = {}) {
  const student = studentOf(request.headers.get("Authorization"));
  const shelf = student && new Shelf(student, storage);
  const kept = shelf ? await keptFor(shelf, new URL(request.url).pathname) : null;
  if (!kept) return fetch(request);
  let told;
  try {
    told = await within(PATIENCE_MS, fetch(request));
  } catch {
    return Response.json(kept.value);
  }
  if (told.status >= 500) return Response.json(kept.value);
  if (!told.ok) return told;
  try {
    return await fresh(shelf, kept, told);
  } catch {
    // It broke off, or it is no JSON: a network that answers in the server's place.
    return Response.json(kept.value);
  }
}

/** What the server says now; for the version that is kept, addresses are those of this device. */
async function fresh(shelf, kept, told) {
  const value = await told.clone().json();
  const same = (value.version ?? kept.slip.version) === kept.slip.version;
  if (kept.local) return same ? Response.json(kept.value) : told;
  // A full disk keeps the answer before; this one is as good.
  const { name, slip } = kept;
  if (same) await (name === COURSE ? shelf.putCourse(slip.id, value) : shelf.putJson(slip.id, name, value)).catch(() => {});
  return told;
}

/** The kept answer for a path: in which download, under which name, and whether it holds local addresses. */
async function keptFor(shelf, path) {
  const [, item, part] = path.match(ITEM_PATH) ?? [];
  const [, course] = path.match(COURSE_PATH) ?? [];
  const wanted = decodeURIComponent(item ?? course);
  const slip = (await shelf.list()).find((each) => (item ? each.item : each.course) === wanted);
  if (!slip) return null;
  const name = course ? COURSE : `${part?.slice(1) ?? "item"}.json`;
  const value = await shelf.json(slip.id, name);
  return value && { slip, name, value, local: part !== undefined };
}

/**
 * Whom the token speaks for. It is not verified: it opens nothing but what this browser has kept for that student,
 * and whoever can write such a request here can read the disk as well.
 */
function studentOf(authorization) {
  try {
    const [, claims] = authorization.replace(/^Bearer /, "").split(".");
    return JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))).sub ?? null;
  } catch {
    return null;
  }
}

async function within(ms, promise) {
  let timer;
  const late = new Promise((_, refuse) => (timer = setTimeout(() => refuse(new Error("no answer")), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
