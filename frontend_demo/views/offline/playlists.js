/** Owns what a download reads in HLS playlists (RFC 8216): the qualities, which bytes each needs, and local names. */

/**
 * The qualities of a multivariant playlist, best first: `name` is its playlist without the ending, `info` the line
 * that describes it.
 * @returns {{name: string, uri: string, height: number, bitrate: number, info: string}[]}
 */
export function qualitiesOf(master) {
  const lines = master.split("\n");
  const found = [];
  lines.forEach((line, n) => {
    if (!line.startsWith("#EXT-X-STREAM-INF:")) return;
    const uri = lines[n + 1].trim();
    const height = Number(line.match(/RESOLUTION=\d+x(\d+)/)?.[1] ?? 0);
    const bitrate = Number(line.match(/AVERAGE-BANDWIDTH=(\d+)/)?.[1] ?? line.match(/BANDWIDTH=(\d+)/)?.[1] ?? 0);
    found.push({ name: uri.split("?")[0].split("/").at(-1).replace(/\.m3u8$/, ""), uri, height, bitrate, info: line });
  });
  return found.sort((a, b) => b.bitrate - a.bitrate);
}

/** A multivariant playlist of one quality. */
export function masterOf(quality, uri) {
  return `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n${quality.info}\n${uri}\n`;
}

/**
 * What one quality consists of: its files, with the bytes that are needed of each (0: all, however many), and its
 * playlist with `named(index)` in the place of every address.
 * @returns {{files: {url: string, bytes: number}[], playlist: (named: (index: number) => string) => string}}
 */
export function filesOf(text, base) {
  const files = [];
  let range = null;
  let next_byte = 0;
  const indexOf = (uri, bytes) => {
    const url = new URL(uri, base).href;
    let index = files.findIndex((file) => file.url === url);
    if (index < 0) index = files.push({ url, bytes: 0 }) - 1;
    files[index].bytes = Math.max(files[index].bytes, bytes);
    return index;
  };
  const lines = text.split("\n").map((line) => {
    const map = line.match(/^(#EXT-X-MAP:(?:.*,)?URI=")([^"]*)(".*)$/);
    if (map) {
      const [, length, start] = line.match(/BYTERANGE="(\d+)@(\d+)"/) ?? [];
      return [map[1], indexOf(map[2], length ? Number(length) + Number(start) : 0), map[3]];
    }
    const [, length, start] = line.match(/^#EXT-X-BYTERANGE:(\d+)(?:@(\d+))?/) ?? [];
    if (length) {
      const from = start === undefined ? next_byte : Number(start);
      range = next_byte = from + Number(length);
    }
    if (line.trim() === "" || line.startsWith("#")) return line;
    const index = indexOf(line.trim(), range ?? 0);
    range = null;
    return ["", index, ""];
  });
  const playlist = (named) =>
    lines.map((line) => (typeof line === "string" ? line : `${line[0]}${named(line[1])}${line[2]}`)).join("\n");
  return { files, playlist };
}
