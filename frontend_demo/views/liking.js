/** Owns how a student likes a player to be: speed, quality, captions, loudness. Remembered on this device. */

import { namespace, recall, remember } from "./place.js";
import { SPEEDS } from "./shortcuts.js";

const KEY = `${namespace}:player`;

/** What holds until the student says otherwise; `captions` is a language, empty for none. */
const USUAL = { speed: 1, quality: "auto", captions: "", volume: 1, bandwidth: 0 };

/** @returns {{speed: number, quality: string, captions: string, volume: number, bandwidth: number}} bandwidth in bits/s */
export function liking() {
  const kept = parsed(recall(KEY));
  const liked = { ...USUAL, ...kept };
  if (!SPEEDS.includes(liked.speed)) liked.speed = USUAL.speed;
  liked.volume = Number.isFinite(liked.volume) ? Math.min(1, Math.max(0, liked.volume)) : USUAL.volume;
  return liked;
}

/** Remembers a part of it. */
export function like(change) {
  remember(KEY, JSON.stringify({ ...liking(), ...change }));
}

function parsed(text) {
  try {
    const kept = JSON.parse(text ?? "{}");
    return kept && typeof kept === "object" ? kept : {};
  } catch {
    return {};
  }
}

/** Whether the student, or the network, asks to load no more than needed. */
export function savesData() {
  const { connection } = navigator;
  return Boolean(connection?.saveData) || /(^|-)2g$/.test(connection?.effectiveType ?? "");
}
