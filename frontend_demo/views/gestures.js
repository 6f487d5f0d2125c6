/** Owns what touching the picture does: a click plays, a tap shows or hides the controls, two taps skip. */

/** Two taps this close in time are one gesture. */
const DOUBLE_MS = 300;

const SKIP_MS = 10_000;

/** The outer parts of the picture's width that skip. */
const EDGE = 0.35;

/**
 * @param {HTMLElement} surface  the picture
 * @param {{click: () => void, tap: () => void, skip: (ms: number) => void}} act
 * @returns {() => void} takes it off
 */
export function gestures(surface, { click, tap, skip }) {
  let last = { at_ms: -DOUBLE_MS, side: 0 };
  let timer = null;
  const hear = (event) => {
    if (event.pointerType !== "touch") return click();
    const side = sideOf(event, surface);
    const double = side !== 0 && side === last.side && event.timeStamp - last.at_ms < DOUBLE_MS;
    last = { at_ms: event.timeStamp, side };
    clearTimeout(timer);
    if (double) return skip(side * SKIP_MS);
    if (side === 0) return tap();
    timer = setTimeout(tap, DOUBLE_MS);
  };
  surface.addEventListener("click", hear);
  return () => (clearTimeout(timer), surface.removeEventListener("click", hear));
}

function sideOf({ clientX }, surface) {
  const { left, width } = surface.getBoundingClientRect();
  const part = (clientX - left) / Math.max(1, width);
  if (part < EDGE) return -1;
  return part > 1 - EDGE ? 1 : 0;
}
