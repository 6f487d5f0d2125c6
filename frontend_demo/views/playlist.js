/** Owns what an HLS playlist of one file with byte ranges says (RFC 8216, 4.3.2): where a moment lies in it. Pure. */

const MAP = /^#EXT-X-MAP:(?:.*,)?URI="([^"]+)"(?:.*BYTERANGE="(\d+)(?:@(\d+))?")?/;
const LENGTH = /^#EXTINF:(\d+(?:\.\d+)?)/;
const RANGE = /^#EXT-X-BYTERANGE:(\d+)(?:@(\d+))?/;

/** @typedef {{from: number, to: number}} Bytes  both inclusive, as a Range header says them */

/**
 * The address of the file, the bytes of its head, and those of the segment that plays at `place_s`; null if it is
 * no such playlist.
 * @param {string} text @param {number} place_s
 * @returns {{url: string, head: Bytes | null, segment: Bytes} | null}
 */
export function piecesAt(text, place_s) {
  const found = { url: null, head: null, segment: null };
  const reading = { length_s: 0, bytes: null, next: 0, from_s: 0 };
  for (const line of text.split(/\r?\n/)) {
    if (found.segment) break;
    readLine(line, reading, found, place_s);
  }
  found.segment ??= reading.last ?? null;
  return found.url && found.segment ? found : null;
}

function readLine(line, reading, found, place_s) {
  const map = line.match(MAP);
  if (map) {
    found.url = map[1];
    if (map[2]) found.head = bytes(Number(map[3] ?? 0), Number(map[2]));
    return;
  }
  const length = line.match(LENGTH);
  if (length) return void (reading.length_s = Number(length[1]));
  const range = line.match(RANGE);
  if (range) {
    const from = range[2] === undefined ? reading.next : Number(range[2]);
    reading.bytes = bytes(from, Number(range[1]));
    reading.next = from + Number(range[1]);
    return;
  }
  if (!line || line.startsWith("#") || !reading.bytes) return;
  found.url ??= line;
  reading.last = reading.bytes;
  reading.from_s += reading.length_s;
  if (reading.from_s > place_s) found.segment = reading.bytes;
  reading.bytes = null;
}

/** The address of the file that a playlist names; null if it names none. */
export function addressIn(text) {
  return text.match(/^(?!#)\S.*$/m)?.[0].trim() ?? null;
}

/** Whether two playlists are of the same file: the same but for the addresses, which are renewed. */
export function isSameFile(one, other) {
  return plain(one) === plain(other);
}

function plain(text) {
  return text
    .replace(/URI="[^"]*"/g, "URI")
    .replace(/^(?!#)\S.*$/gm, "URI")
    .replace(/\r/g, "")
    .trim();
}

function bytes(from, count) {
  return { from, to: from + count - 1 };
}
