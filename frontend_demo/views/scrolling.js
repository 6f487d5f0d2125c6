/** Owns how far down one was on each page of the history: a new page begins at its top, going back finds the place. */

/** By the key of a place in the history: how far down, px. */
const places = new Map();

let key = null;

history.scrollRestoration = "manual";
addEventListener("scroll", () => key && places.set(key, window.scrollY), { passive: true });

/** A page is about to be shown: gives what puts it where it was, to be called when it is there. */
export function arriving() {
  const known = history.state?.place ?? null;
  const at_px = places.get(known) ?? 0;
  // While the page is another one, nothing that scrolls is of a person.
  key = null;
  if (at_px === 0) window.scrollTo(0, 0);
  return () => {
    key = known ?? newKey();
    if (!known) history.replaceState({ ...history.state, place: key }, "");
    requestAnimationFrame(() => at_px > 0 && window.scrollTo(0, at_px));
  };
}

/** A step in the history on the page that is open. */
export function step(hash) {
  key = newKey();
  history.pushState({ place: key }, "", hash);
}

function newKey() {
  return String(performance.timeOrigin + performance.now());
}
