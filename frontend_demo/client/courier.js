/**
 * Owns the journals that closed tabs left behind: carries each up under its own device's name, then is done
 * (device.js, 3). It only delivers; it pulls nothing and writes nothing new.
 */

import { Connection } from "./connection.js";
import { Journal } from "./journal.js";
import { Outbox, isRefusedChunk } from "./outbox.js";
import { lockName } from "./device.js";

/** Longest time one left journal may keep its connection: a checkpoint is at most 31 s away (P26). */
const DELIVERY_MS = 90_000;

/**
 * Delivers every left journal of this student that no living tab holds, one after the other.
 * @returns {Promise<string[]>} the devices whose journals are empty now
 */
export async function deliverLeft({ own, student, namespace, store, locks, spillStorage, link }) {
  const delivered = [];
  for (const device of await store.waiting(student)) {
    if (device === own) continue;
    const release = await locks.take(lockName(namespace, device));
    if (!release) continue;
    try {
      const journal = await Journal.open({ store, student, device, namespace, spillStorage, time: link.time });
      if (journal.length === 0 || (await deliver(journal, link))) delivered.push(device);
      await journal.settled();
      journal.close();
    } finally {
      release();
    }
  }
  return delivered;
}

function deliver(journal, { credentials, hello, WebSocket, time, random }) {
  const { device, student } = journal;
  const connection = new Connection({
    credentials: () => credentials(device),
    hello: () => hello(device),
    WebSocket,
    time,
    random,
  });
  const outbox = new Outbox({ journal, connection, time });
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      outbox.close();
      connection.stop();
      resolve(journal.length === 0);
    };
    const cancel = time.after(DELIVERY_MS, finish);
    connection.on("welcome", (welcome) => (welcome.student === student ? outbox.welcome(welcome) : finish()));
    connection.on("message", (message) => {
      if (["applied", "durable", "resync"].includes(message.type)) outbox[message.type](message);
      if (isRefusedChunk(message)) outbox.refused();
    });
    outbox.on("spoilt", () => connection.renew());
    journal.on("fenced", finish);
    connection.on("state", ({ state }) => {
      if (state === "waiting") outbox.shut();
      if (state === "refused") finish();
    });
    journal.on("changed", () => journal.length === 0 && finish());
    connection.start();
  });
}
