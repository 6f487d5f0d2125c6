/** Owns what the browser says about the page: hidden, shown, leaving, back, network gone, network there. */

/**
 * Binds a client to the page's life. Returns the function that unbinds.
 * `pagehide` is the last event a page surely hears; on phones `visibilitychange` often is.
 */
export function bindToPage(client, { window = globalThis.window, document = globalThis.document } = {}) {
  if (!window || !document) return () => {};
  const hidden = () => document.visibilityState === "hidden";
  const bindings = [
    [window, "pagehide", () => client.leave()],
    [window, "pageshow", (event) => event.persisted && client.wake()],
    [window, "focus", () => client.wake()],
    [window, "online", () => client.probe()],
    [window, "offline", () => client.probe()],
    [document, "visibilitychange", () => (hidden() ? client.flush() : client.wake())],
    [document, "freeze", () => client.flush()],
    [document, "resume", () => client.wake()],
  ];
  for (const [target, name, act] of bindings) target.addEventListener(name, act);
  return () => {
    for (const [target, name, act] of bindings) target.removeEventListener(name, act);
  };
}
