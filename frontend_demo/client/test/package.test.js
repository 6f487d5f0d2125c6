/** What is published: the modules that are imported, the licence, the README, and nothing else. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { CLIENT_NAME } from "../client.js";
import * as index from "../index.js";

const folder = new URL("../", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");

/** Every module that index.js needs, itself included. */
function needed(name = "index.js", found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, next] of read(name).matchAll(/from "\.\/([^"]+)"/g)) needed(next, found);
  return found;
}

test("npm pack lists what belongs, and all of it", () => {
  const pack = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  const files = JSON.parse(pack)[0].files.map((each) => each.path).sort();
  assert.deepEqual(files, ["LICENSE", "README.md", "package.json", ...needed()].sort());
});

test("no module is left over, and none asks for anything but its neighbours", () => {
  const modules = readdirSync(folder).filter((name) => name.endsWith(".js"));
  assert.deepEqual(modules.sort(), [...needed()].sort());
  for (const name of modules) assert.ok(!/from "[^.]/.test(read(name)), name);
});

test("the version is said once: package.json and hello agree", () => {
  assert.equal(CLIENT_NAME, `playhead-js/${JSON.parse(read("package.json")).version}`);
});

test("the README tells every event and every file", () => {
  const readme = read("README.md");
  const modules = [...needed()].filter((name) => !["index.js", "emitter.js", "ids.js"].includes(name));
  for (const name of modules) assert.ok(readme.includes(`\`${name.replace(".js", "")}\``), name);
  const emitted = ["client.js", "player.js", "reader.js", "standing.js"].flatMap((name) => [...read(name).matchAll(/this\.emit\("(\w+)"/g)].map(([, event]) => event));
  for (const event of emitted) assert.ok(readme.includes(`\`${event}\``), event);
  for (const name of Object.keys(index)) assert.ok(["CLOSE_CODES", "Client", "Player", "Reader", "SignInNeeded", "attach", "connect", "describeDevice", "placeNow", "read"].includes(name), name);
});
