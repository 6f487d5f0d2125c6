// Resume on Durable Objects: one object per student, hibernating sockets, an alarm that saves after 30 s.
import { DurableObject } from "cloudflare:workers";
import { studentOf } from "./token.js";

export default {
  /** `Sec-WebSocket-Protocol: resume, <token>`: a browser cannot send another header with a WebSocket. */
  async fetch(request, env) {
    const [, token] = (request.headers.get("Sec-WebSocket-Protocol") ?? "").split(", ");
    const student = await studentOf(token, env.JWKS);
    if (!student) return new Response("sign in again", { status: 401 });
    return env.STUDENTS.getByName(student).fetch(request);
  },
};

export class Student extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.items = new Map(ctx.storage.kv.list()); // item -> progress, as saved last
    this.dirty = new Set();
    this.seqs = new Map(); // device -> the last seq that is not saved
  }

  fetch(request) {
    const [client, server] = Object.values(new WebSocketPair());
    const device = new URL(request.url).searchParams.get("device");
    this.ctx.acceptWebSocket(server, [device]);
    server.serializeAttachment(device);
    server.send(JSON.stringify({ type: "heads", items: [...this.items.values()] }));
    const headers = { "Sec-WebSocket-Protocol": "resume" };
    return new Response(null, { status: 101, webSocket: client, headers });
  }

  webSocketMessage(socket, message) {
    const update = parse(message);
    if (!update) return socket.close(1008, "not an update");
    const progress = this.apply(socket.deserializeAttachment(), update);
    socket.send(JSON.stringify({ type: "ack", seq: update.seq, rev: progress.rev }));
    if (update.position_ms === undefined) return;
    const others = this.ctx.getWebSockets();
    if (others.length < 2) return;
    const head = JSON.stringify({ type: "head", ...progress });
    for (const other of others) if (other !== socket) other.send(head);
  }

  webSocketClose(socket, code) {
    socket.close(code === 1005 ? 1000 : code);
  }

  /** The latest update wins. */
  apply(device, { seq, item, position_ms, from_ms }) {
    let progress = this.items.get(item);
    if (!progress) {
      progress = { item, position_ms: 0, watched_ms: 0, device, rev: 0 };
      this.items.set(item, progress);
    }
    if (position_ms !== undefined) {
      progress.position_ms = position_ms;
      progress.device = device;
      progress.rev += 1;
      if (from_ms !== undefined) progress.watched_ms += position_ms - from_ms;
    }
    if (this.dirty.size === 0) {
      const wait_ms = Number(this.env.SAVE_EVERY_MS);
      this.ctx.storage.setAlarm(Date.now() + wait_ms);
      // What is not saved lives in memory alone: a timer keeps the object from hibernating with it.
      this.awake = setTimeout(() => {}, wait_ms + 1000);
    }
    this.dirty.add(item);
    this.seqs.set(device, seq);
    return progress;
  }

  /** Write what is dirty, then tell each device up to where it is durable. */
  async alarm() {
    for (const item of this.dirty) this.ctx.storage.kv.put(item, this.items.get(item));
    const saved = this.seqs;
    this.seqs = new Map();
    this.dirty.clear();
    clearTimeout(this.awake);
    await this.ctx.storage.sync();
    for (const [device, seq] of saved) {
      for (const socket of this.ctx.getWebSockets(device)) {
        socket.send(JSON.stringify({ type: "durable", seq }));
      }
    }
  }
}

function parse(message) {
  try {
    const update = JSON.parse(message);
    const { seq, item, position_ms, from_ms } = update;
    const right = Number.isSafeInteger(seq) && typeof item === "string" && item.length <= 64
      && (position_ms === undefined || Number.isSafeInteger(position_ms))
      && (from_ms === undefined || Number.isSafeInteger(from_ms));
    return right ? update : null;
  } catch {
    return null;
  }
}
