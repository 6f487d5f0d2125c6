/** Owns names nobody else has: devices, visits, boots. */

/**
 * A new id: `prefix` and 22 characters, 128 random bits. `crypto.randomUUID` exists on secure pages only,
 * `getRandomValues` everywhere.
 */
export function newId(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const text = btoa(String.fromCharCode(...bytes));
  return `${prefix}-${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}
