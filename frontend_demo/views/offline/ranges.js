/** Owns how a part of what is kept is answered: a Range of a whole (RFC 9110, 14), from the disk. */

/**
 * The first and last byte that a Range header asks for, null for the whole, or "unsatisfiable".
 * Several ranges may always be answered with the whole.
 * @returns {[number, number] | null | "unsatisfiable"}
 */
export function rangeOf(header, length) {
  const [, first, last] = header?.match(/^bytes=(\d*)-(\d*)$/) ?? [];
  if (first === undefined || (first === "" && last === "")) return null;
  const from = first === "" ? Math.max(0, length - Number(last)) : Number(first);
  const to = first === "" || last === "" ? length - 1 : Math.min(length - 1, Number(last));
  if (first !== "" && last !== "" && Number(last) < Number(first)) return null;
  return from >= length || (first === "" && Number(last) === 0) ? "unsatisfiable" : [from, to];
}

/** The answer to a request for what is kept, with 206 where a part was asked for. @param {Response} kept */
export async function answered(kept, request) {
  const whole = await kept.blob();
  const headers = new Headers({
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-store",
    // Of this origin, but never a page of it: whatever a kept file says it is, opened by itself it runs nothing.
    "Content-Security-Policy": "sandbox",
    "X-Content-Type-Options": "nosniff",
    "Content-Type": kept.headers.get("Content-Type") ?? "application/octet-stream",
  });
  const range = rangeOf(request.headers.get("Range"), whole.size);
  if (range === "unsatisfiable") {
    headers.set("Content-Range", `bytes */${whole.size}`);
    return new Response(null, { status: 416, headers });
  }
  const [from, to] = range ?? [0, whole.size - 1];
  headers.set("Content-Length", String(to - from + 1));
  if (range) headers.set("Content-Range", `bytes ${from}-${to}/${whole.size}`);
  return new Response(range ? whole.slice(from, to + 1) : whole, { status: range ? 206 : 200, headers });
}
