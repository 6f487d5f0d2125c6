/**
 * Writes down what the real client says of students who read, for the rules to fold (tests/frontend_demo): one JSON
 * object on stdout, journal entries by the name of the story.
 */

import { VirtualTime, WireEnd, clientOn } from "./fakes.js";

const PAGES = 12;

/** What is in view when a place is at the upper edge, of pages that fill a window each. */
function viewAt(place_ms, pages_high) {
  const first = Math.floor(place_ms / 1_000);
  return { place_ms, first, last: Math.min(PAGES - 1, first + pages_high - 1) };
}

async function journal(story, pages_high = 1) {
  const time = new VirtualTime();
  const end = new WireEnd(time);
  const client = await clientOn(time, end);
  const reader = client.read({ item: "doc", version: "v1", duration_ms: PAGES * 1_000 });
  reader.on("show", ({ place_ms }) => reader.look(viewAt(place_ms, pages_high), "page"));
  reader.look(viewAt(0, pages_high), "page");
  const turn = async (place_ms, ms) => {
    reader.look(viewAt(place_ms, pages_high), "user");
    await time.pass(ms);
  };
  await story({ time, client, reader, turn });
  client.leave();
  await time.pass(100);
  return { entries: end.entries, mono_ms: Math.round(time.mono()), wall_ms: time.wall() };
}

const each = async (turn, ms) => {
  for (let page = 0; page < PAGES; page += 1) await turn(page * 1_000, ms);
};

const stories = {
  reads: () => journal(({ turn }) => each(turn, 5_000)),
  flips: () => journal(({ turn }) => each(turn, 900)),
  looks: () => journal(({ time }) => time.pass(30_000)),
  dwells: () => journal(({ turn }) => each(turn, 90_000)),
  two_pages_high: () => journal(({ turn }) => each(turn, 4_000), 2),
  whole_at_once: () => journal(({ time }) => time.pass(60_000), PAGES),
  jumps: () =>
    journal(async ({ time, reader, turn }) => {
      await turn(200, 4_000);
      reader.seek(9_000);
      await time.pass(6_000);
    }),
  undoes: () =>
    journal(async ({ time, reader, turn }) => {
      await turn(1_000, 4_000);
      reader.seek(7_000);
      await time.pass(1_500);
      reader.undo();
      await time.pass(900);
    }),
  undoes_at_once: () =>
    journal(async ({ time, reader, turn }) => {
      await turn(1_020, 1_300);
      reader.seek(7_000);
      await time.pass(300);
      reader.undo();
      await time.pass(500);
    }),
  wanders: () =>
    journal(async ({ turn }) => {
      let seed = 7;
      const random = () => ((seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31);
      for (let n = 0; n < 400; n += 1) await turn(Math.floor(random() * 11_999), Math.floor(random() * 9_000));
    }, 3),
};

const told = {};
for (const [name, tell] of Object.entries(stories)) told[name] = await tell();
process.stdout.write(JSON.stringify(told), () => process.exit(0));
