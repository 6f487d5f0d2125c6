// Resume on Socket.IO: a room per student, state in memory, dirty rows to Postgres every 30 s.
import { createServer } from "node:http";
import { Server } from "socket.io";
import * as store from "./store.js";
import { studentOf } from "./token.js";

const SAVE_EVERY_MS = Number(process.env.SAVE_EVERY_MS);

/** student -> { items: item -> progress, dirty: Set of items, sockets, saving }, while one is connected. */
const students = new Map();
let dirty = new Set();
let timer = null;

const http = createServer((_, response) => response.writeHead(404).end());
const io = new Server(http, { transports: ["websocket"], serveClient: false });
// The first HTTP request would be kept as long as the socket (Socket.IO's guide to memory).
io.engine.on("connection", (raw) => { raw.request = null; });

io.use(async (socket, next) => {
  const { token, device } = socket.handshake.auth;
  const student = studentOf(token);
  if (!student) return next(new Error("sign in again"));
  try {
    const rows = students.has(student) ? null : await store.load(student);
    socket.data = { student, device: String(device), rows, seq: 0, saved: 0 };
    next();
  } catch (error) {
    console.error("load", error);
    next(new Error("try again"));
  }
});

io.on("connection", (socket) => {
  const { student } = socket.data;
  const live = hold(student, socket);
  if (!live) return socket.disconnect(true);
  socket.join(student);
  socket.on("update", (update, ack) => {
    if (!isUpdate(update) || typeof ack !== "function") return socket.disconnect(true);
    const progress = apply(live, socket, update);
    ack(progress.rev);
    if (update.position_ms !== undefined && live.sockets.size > 1) socket.to(student).emit("head", progress);
  });
  socket.on("disconnect", () => {
    live.sockets.delete(socket);
    forget(student);
  });
  socket.emit("heads", [...live.items.values()]);
});

/** The student's live state, with this socket in it; null if it has gone since the socket looked for it. */
function hold(student, socket) {
  const { rows } = socket.data;
  socket.data.rows = null;
  let live = students.get(student);
  if (!live) {
    if (!rows) return null;
    live = { items: new Map(rows.map((row) => [row.item, row])), dirty: new Set(), sockets: new Set(), saving: false };
    students.set(student, live);
  }
  live.sockets.add(socket);
  return live;
}

function forget(student) {
  const live = students.get(student);
  if (live.sockets.size === 0 && live.dirty.size === 0 && !live.saving) students.delete(student);
}

function isUpdate(update) {
  const { seq, item, position_ms, from_ms } = update ?? {};
  return Number.isSafeInteger(seq) && typeof item === "string" && item.length <= 64
    && (position_ms === undefined || Number.isSafeInteger(position_ms))
    && (from_ms === undefined || Number.isSafeInteger(from_ms));
}

/** The latest update wins. */
function apply(live, socket, { seq, item, position_ms, from_ms }) {
  const { student, device } = socket.data;
  let progress = live.items.get(item);
  if (!progress) {
    progress = { item, position_ms: 0, watched_ms: 0, device, rev: 0 };
    live.items.set(item, progress);
  }
  if (position_ms !== undefined) {
    progress.position_ms = position_ms;
    progress.device = device;
    progress.rev += 1;
    if (from_ms !== undefined) progress.watched_ms += position_ms - from_ms;
  }
  socket.data.seq = seq;
  live.dirty.add(item);
  dirty.add(student);
  timer ??= setTimeout(save, SAVE_EVERY_MS);
  return progress;
}

/** Write what is dirty, then tell each device up to where it is durable. */
async function save() {
  const saving = dirty;
  dirty = new Set();
  const rows = [];
  const told = [];
  for (const student of saving) {
    const live = students.get(student);
    for (const item of live.dirty) rows.push([student, { ...live.items.get(item) }]);
    live.dirty.clear();
    live.saving = true;
    for (const socket of live.sockets) told.push([socket, socket.data.seq]);
  }
  try {
    await store.save(rows);
    for (const [socket, seq] of told) {
      if (seq > socket.data.saved) socket.emit("durable", (socket.data.saved = seq));
    }
  } catch (error) {
    console.error("save", error);
    for (const [student, { item }] of rows) {
      students.get(student).dirty.add(item);
      dirty.add(student);
    }
  }
  timer = dirty.size ? setTimeout(save, SAVE_EVERY_MS) : null;
  for (const student of saving) {
    students.get(student).saving = false;
    forget(student);
  }
}

process.on("SIGTERM", async () => {
  io.close();
  while (dirty.size) await save();
  await store.close();
  process.exit(0);
});
http.listen(Number(process.env.PORT), "127.0.0.1", 4096);
