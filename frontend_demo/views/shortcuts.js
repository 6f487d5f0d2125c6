/** Owns which key does what in a player, and how that is said. Pure. */

/** @typedef {{keys: string[], shown: string[], act: string, of?: number, words: string}} Shortcut */

const TENTHS = Array.from({ length: 10 }, (_, digit) => ({ keys: [String(digit)], shown: [], act: "tenth", of: digit, words: "" }));

/** `keys` as `KeyboardEvent.key` in small letters; those with no `words` are told by another row. @type {Shortcut[]} */
export const SHORTCUTS = [
  { keys: [" ", "k"], shown: ["Space", "K"], act: "toggle", words: "Play or pause" },
  { keys: ["j"], shown: ["J", "L"], act: "skip", of: -10_000, words: "Back or on 10 seconds" },
  { keys: ["l"], shown: [], act: "skip", of: 10_000, words: "" },
  { keys: ["arrowleft"], shown: ["←", "→"], act: "skip", of: -5_000, words: "Back or on 5 seconds" },
  { keys: ["arrowright"], shown: [], act: "skip", of: 5_000, words: "" },
  { keys: [","], shown: [",", "."], act: "frame", of: -1, words: "One picture back or on, while paused" },
  { keys: ["."], shown: [], act: "frame", of: 1, words: "" },
  { keys: ["<"], shown: ["<", ">"], act: "speed", of: -1, words: "Slower or faster" },
  { keys: [">"], shown: [], act: "speed", of: 1, words: "" },
  { keys: ["home"], shown: ["0", "–", "9"], act: "tenth", of: 0, words: "To the beginning, to 10 % … 90 %" },
  ...TENTHS,
  { keys: ["arrowup"], shown: ["↑", "↓"], act: "louder", of: 0.1, words: "Louder or quieter" },
  { keys: ["arrowdown"], shown: [], act: "louder", of: -0.1, words: "" },
  { keys: ["m"], shown: ["M"], act: "mute", words: "Sound off or on" },
  { keys: ["c"], shown: ["C"], act: "captions", words: "Captions off or on" },
  { keys: ["f"], shown: ["F"], act: "fullscreen", words: "Full screen" },
  { keys: ["p"], shown: ["P"], act: "pip", words: "Picture in picture" },
  { keys: ["?"], shown: ["?"], act: "help", words: "This list" },
];

/** What a key does, or null. @returns {Shortcut | null} */
export function shortcutFor(key) {
  const wanted = key.toLowerCase();
  return SHORTCUTS.find(({ keys }) => keys.includes(wanted)) ?? null;
}

/** Speeds a student may choose. */
export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/** The next speed up or down; the same at the ends. */
export function stepSpeed(speed, step) {
  const further = SPEEDS.filter((each) => (step > 0 ? each > speed + 0.01 : each < speed - 0.01));
  return (step > 0 ? further[0] : further.at(-1)) ?? speed;
}
