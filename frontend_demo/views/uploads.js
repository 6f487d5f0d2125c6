/** Owns the files on their way up on this page: they go on while an instructor walks about, and warn before the page goes. */

import { Upload } from "./upload.js";

const ENDED = new Set(["ready", "failed", "aborted"]);

/** By course, item and purpose. */
const under_way = new Map();

addEventListener("beforeunload", (event) => {
  if ([...under_way.values()].some((upload) => upload.is_sending)) event.preventDefault();
});

/** Begins to send a file; an unfinished one for the same place is given up. */
export function send(teaching, of) {
  const key = keyOf(of);
  const before = under_way.get(key);
  if (before && !ENDED.has(before.state)) void before.cancel();
  const upload = Upload.begin(teaching, of);
  under_way.set(key, upload);
  return upload;
}

/** The upload of a place, if one is known: of this page, else the newest the server tells of (`said`). */
export function uploadOf(teaching, course, { item, purpose }, said) {
  const key = keyOf({ course, item, purpose });
  const here = under_way.get(key);
  if (here) return here;
  const newest = said
    .filter((each) => (each.item ?? null) === item && each.purpose === purpose && each.state !== "aborted")
    .sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at))[0];
  if (!newest) return null;
  const upload = Upload.known(teaching, course, newest);
  under_way.set(key, upload);
  return upload;
}

/** Forgets it: its end was seen. */
export function forget(upload) {
  const key = keyOf(upload);
  if (under_way.get(key) === upload) under_way.delete(key);
}

function keyOf({ course, item, purpose }) {
  return JSON.stringify([course, item, purpose]);
}
