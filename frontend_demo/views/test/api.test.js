/** Tokens: what is kept on a device is asked for even when none can be had. */

import assert from "node:assert/strict";
import { test } from "node:test";

const ENDED = JSON.stringify({ access_token: "old", refresh_token: "r", student: { id: "ada", name: "Ada" }, ends_ms: 0 });

const storage = { getItem: () => ENDED, setItem: () => {}, removeItem: () => {} };
Object.defineProperty(globalThis, "localStorage", { value: storage, configurable: true });
globalThis.location = new URL("https://learn.example/");

const { Api } = await import("../api.js");

/** An API whose token has run out; `renewal` answers for a new one, and an item can be had all the same. */
function api(renewal) {
  globalThis.fetch = async (path) => (path === "/v1/token/refresh" ? renewal() : Response.json({ id: "lec1" }));
  return new Api();
}

test("a token that cannot be renewed off line, or while the server is in trouble, stops nobody", async () => {
  const away = () => Promise.reject(new TypeError("no network"));
  for (const renewal of [away, () => Response.json({}, { status: 500 }), () => Response.json({}, { status: 503 })]) {
    assert.deepEqual(await api(renewal).item("lec1"), { id: "lec1" });
  }
});

test("a renewal that is refused ends the sign-in", async () => {
  await assert.rejects(api(() => Response.json({}, { status: 401 })).item("lec1"), { name: "SignInNeeded" });
  await assert.rejects(api(() => Response.json({}, { status: 429 })).item("lec1"), { status: 429 });
});
