/** Owns how safe the student's minutes are, as facts and in words: what is durable, what waits, and why. */

import { length } from "./format.js";

const LINKS = { connecting: "Connecting …", online: "Online", offline: "Offline", refused: "Not connected" };

/** What a final close says to the student, and what helps. */
const REFUSALS = {
  auth: { link: "Signed out", help: "sign-in" },
  revoked: { link: "Signed out", help: "sign-in" },
  sealed: { link: "Somebody else is signed in", help: "sign-in" },
  replaced: { link: "Open in another tab", help: "here" },
  version: { link: "This page is outdated", help: "reload" },
};

const REJECTIONS = {
  submitted: "An answer came after the attempt was handed in; the attempt stays as it was.",
  beyond_end: "Something was reported past the end of this lecture. It counts nowhere and changes nothing.",
  not_enrolled: "You are no longer enrolled in this course, so a part of what was watched is not counted.",
  unpublished: "This lecture was taken back, so a part of what was watched is not counted.",
};

/**
 * What is known now. `reason` is the name of the close that ended the link for good, if the page has heard one.
 * @returns {{link: string, reason: string | null, state: "saved" | "saving" | "offline" | "memory" | "refused",
 *            unsaved_ms: number, clean: boolean, memory: boolean, pages: boolean, clock_offset_ms: number, clock_wrong: boolean}}
 *          `clock_offset_ms` is the server's time minus this device's
 */
export function safety(client, player, reason = null) {
  const { state, entries, unsaved_ms } = client.state;
  const { wrong, offset_ms } = client.clock_state;
  const clean = entries === 0 && unsaved_ms === 0 && !player?.active;
  const memory = client.durability === "memory";
  const pages = player?.unit === "page";
  return { link: client.status, reason, state, unsaved_ms, clean, memory, pages, clock_wrong: wrong, clock_offset_ms: offset_ms };
}

/** The word for the link. */
export function linkWords({ link, reason }) {
  return link === "refused" ? (REFUSALS[reason]?.link ?? LINKS.refused) : LINKS[link];
}

/** What the student can do: `try`, `sign-in`, `here`, `reload`, or null if there is nothing to do. */
export function helpFor({ link, reason }) {
  if (link === "offline") return "try";
  return link === "refused" ? (REFUSALS[reason]?.help ?? "try") : null;
}

/** "Saved" only when everything is durable and nothing plays on (P26). */
export function savedWords({ state, clean, unsaved_ms, link, pages }) {
  if (clean) return link === "online" ? "Saved" : "Everything is saved";
  if (state === "saving") return "Saving …";
  // What was read is counted in pages, and nobody reads "3 s unsaved" as three of them.
  const what = unsaved_ms >= 1_000 && !pages ? length(unsaved_ms) : "A change";
  return `${what} unsaved, ${state === "memory" ? "in memory only" : "kept on this device"}`;
}

/** Said below the line: what is unusual and does no harm, one sentence each. */
export function notes({ clock_wrong, clock_offset_ms, memory, clean }, rejected) {
  const said = [];
  if (memory && clean) said.push("This browser refuses storage: what you watch is kept in memory until it is saved.");
  if (memory && !clean) said.push("This browser refuses storage: keep this page open until it says Saved.");
  if (clock_wrong) said.push(`This device's clock is ${length(Math.abs(clock_offset_ms))} ${clock_offset_ms < 0 ? "ahead" : "behind"}; nothing is lost.`);
  if (rejected) said.push(REJECTIONS[rejected.code] ?? "A part of what was reported could not be read. It counts nowhere; all the rest is saved.");
  return said;
}
