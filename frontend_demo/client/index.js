/** The Playhead client: `connect` once per signed-in student, `attach` a media element per player. */

import { Client } from "./client.js";
import { Journal } from "./journal.js";
import { SignInNeeded } from "./connection.js";
import { bindToPage } from "./page.js";
import { claimDevice, describeDevice } from "./device.js";
import { deliverLeft } from "./courier.js";
import { MemoryStore, openStore, webStorage } from "./store.js";
import { NoLocks, pageLocks } from "./locks.js";
import { systemTime } from "./time.js";

export { Client, SignInNeeded, describeDevice };
export { Player } from "./player.js";
export { Reader } from "./reader.js";
export { CLOSE_CODES } from "./close_codes.js";
export { placeNow } from "./heads.js";

/** The client that `attach` uses when it is told none: the latest. */
let latest = null;

/**
 * Opens the journal of this student on this device and starts to connect. Resolves as soon as events can be
 * written, on line or not; it never waits for the network.
 *
 * @param {object} options
 * @param {string} options.student  id the journal is sealed to; `welcome` must say the same
 * @param {(device_id: string) => Promise<{ticket: string, socket_url: string}>} [options.tickets]
 *        asked before every connection attempt; throw `SignInNeeded` when only a new sign-in helps
 * @param {string} [options.socketUrl]  with `token`, instead of `tickets`
 * @param {string | (() => string | Promise<string>)} [options.token]
 * @param {{kind?: string, name?: string}} [options.device]  for people; guessed from the browser
 * @param {string} [options.namespace]  keeps several clients on one origin apart
 * @param {object} [options.parts]  replacements for tests: time, random, WebSocket, store, locks, channel, page
 * @returns {Promise<Client>}
 */
export async function connect({ student, tickets, socketUrl, token, device, namespace = "playhead", parts = {} }) {
  if (!student) throw new TypeError("connect: state the student the journal belongs to.");
  const time = parts.time ?? systemTime;
  const spillStorage = parts.spillStorage ?? webStorage();
  let store = parts.store ?? (await openStore(namespace, { time }));
  let locks = parts.locks ?? pageLocks(time, { storage: spillStorage });
  const session = parts.session ?? webStorage("sessionStorage");
  const link = {
    credentials: credentialsFrom({ tickets, socketUrl, token }),
    WebSocket: parts.WebSocket ?? globalThis.WebSocket,
    random: parts.random ?? Math.random,
    time,
  };
  const described = { ...describeDevice(device?.kind ?? null), ...stated(device) };
  const claimSeat = async () => {
    const claim = await claimDevice({ namespace, student, store, locks, session });
    const held = () => claim.release.held?.() ?? true;
    try {
      const journal = await Journal.open({ store, student, device: claim.id, namespace, spillStorage, time });
      return { device: { ...described, id: claim.id }, journal, held, release: claim.release };
    } catch (error) {
      claim.release();
      throw error;
    }
  };
  const sit = () =>
    claimSeat().catch((error) => {
      // A disk that cannot even be read: another device, in memory, rather than a `seq` used twice.
      console.warn("playhead: the disk refuses, the journal lives in memory and dies with the page.", error);
      [store, locks] = [new MemoryStore(), new NoLocks()];
      return claimSeat();
    });
  const courier = (own) => {
    const hello = (id) => client.hello({ ...described, id });
    return deliverLeft({ own, student, namespace, store, locks, spillStorage, link: { ...link, hello } });
  };
  const end = () => (unbind(), store.close());
  const channel = parts.channel ?? channelOf(`${namespace}:tabs`);
  const client = new Client({ student, sit, seat: await sit(), link, courier, channel, end });
  const unbind = bindToPage(client, parts.page);
  latest = client;
  client.start();
  return client;
}

/** How to open the talk among the tabs of this browser; null outside of a page, or where there is none. */
function channelOf(name) {
  const { BroadcastChannel, window } = globalThis;
  return window && BroadcastChannel ? () => new BroadcastChannel(name) : null;
}

/**
 * Binds a media element to an item; see `Player`.
 * @param {HTMLMediaElement} video
 * @param {{item: string, version: string, client?: Client, intent?: string, at_ms?: number, start_ms?: number}} options
 */
export function attach(video, { client = latest, ...options }) {
  if (!client) throw new Error("attach: connect first, or pass a client.");
  return client.attach(video, options);
}

/**
 * Binds a page that shows a document to an item; see `Reader`.
 * @param {{item: string, version: string, duration_ms: number, client?: Client, start_ms?: number}} options
 */
export function read({ client = latest, ...options }) {
  if (!client) throw new Error("read: connect first, or pass a client.");
  return client.read(options);
}

function credentialsFrom({ tickets, socketUrl, token }) {
  if (tickets) return tickets;
  if (!socketUrl || !token) throw new TypeError("connect: give `tickets`, or `socketUrl` and `token`.");
  return async () => ({ socket_url: socketUrl, token: typeof token === "function" ? await token() : token });
}

function stated(device) {
  return Object.fromEntries(Object.entries(device ?? {}).filter(([, value]) => value));
}
