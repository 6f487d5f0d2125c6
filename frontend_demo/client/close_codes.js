/** Owns what a closed socket means: whether to come back, when, and why (docs/protocol.md, Close codes). */

/** 4000-4499 come back, 4500-4999 are final until the user acts. */
export const CLOSE_CODES = Object.freeze({
  4000: { name: "drain", again: "retry", meaning: "the gateway goes away" },
  4001: { name: "moved", again: "retry", meaning: "the student is served elsewhere" },
  4002: { name: "slow", again: "retry", meaning: "this device did not read" },
  4003: { name: "heartbeat", again: "retry", meaning: "silence for too long" },
  4004: { name: "overload", again: "retry", meaning: "the server is busy" },
  4005: { name: "lag", again: "retry", meaning: "the store does not commit" },
  4006: { name: "resync", again: "retry", meaning: "a gap was not filled" },
  4007: { name: "rate", again: "retry", meaning: "too many messages" },
  4008: { name: "token", again: "retry", meaning: "the token ran out" },
  4500: { name: "auth", again: "final", meaning: "the sign-in was refused" },
  4501: { name: "revoked", again: "final", meaning: "the sign-in was withdrawn" },
  4502: { name: "bad_message", again: "final", meaning: "the server does not understand this client" },
  4503: { name: "version", again: "final", meaning: "this client is too old or too new" },
  4504: { name: "forbidden", again: "final", meaning: "this belongs to somebody else" },
  4505: { name: "replaced", again: "when_active", meaning: "a newer connection of this device" },
});

/** What this client says when it closes: 4003 after silence, 1000 when it was asked to stop. */
export const CLIENT_CLOSES = Object.freeze({ silence: 4003, unreadable: 4006, stop: 1000 });

/**
 * What to do after a close.
 * @param {number} code @param {string} reason  JSON `{code, retry_after_ms}` or anything else
 * @returns {{code: number, name: string, meaning: string, again: "retry"|"final"|"when_active",
 *            retry_after_ms: number|null}}  null: the server did not say when
 */
export function closeVerdict(code, reason) {
  const known = CLOSE_CODES[code];
  const said = readReason(reason);
  const retry_after_ms = Number.isFinite(said.retry_after_ms) ? Math.max(0, said.retry_after_ms) : null;
  if (known) return { code, ...known, retry_after_ms };
  const again = code >= 4500 && code <= 4999 ? "final" : "retry";
  return { code, name: said.code ?? "link", meaning: "the link broke", again, retry_after_ms };
}

function readReason(reason) {
  try {
    const said = JSON.parse(reason || "{}");
    return said !== null && typeof said === "object" ? said : {};
  } catch {
    return {};
  }
}
