/** Owns where the bytes of a PDF come from: parts by Range, at an address that runs out and is asked for again. */

/** What a store answers once an address has run out. */
const RUN_OUT = new Set([401, 403, 410]);

/** Without a network a part is tried again after so long. */
const RETRY_MS = 4_000;

const PAGE_TIME = { after: (ms, act) => setTimeout(act, ms) };

/**
 * A source as pdf.js wants it.
 * @param {typeof import("pdfjs-dist").PDFDataRangeTransport} Transport  of the library, which loads late
 * @param {{answer: {url: string, length_bytes: number}, renew: () => Promise<{url: string}>,
 *          failed: (error: Error) => void, time?: {after: (ms: number, act: () => void) => void}}} of
 *        `failed`: a part does not come, now or ever. pdf.js cannot be told, and would wait for it.
 */
export function pdfSource(Transport, { answer, renew, failed, time = PAGE_TIME }) {
  let url = answer.url;
  let renewing = null;
  let is_opened = false;
  const ending = new AbortController();

  /** One new address, however many parts want it. */
  const renewed = () => (renewing ??= renew().then((fresh) => (url = fresh.url)).finally(() => (renewing = null)));

  const part = async (begin, end) => {
    const tried = url;
    try {
      return await fetched(tried, begin, end, ending.signal);
    } catch (error) {
      if (!RUN_OUT.has(error.status)) throw error;
    }
    return fetched(url === tried ? await renewed() : url, begin, end, ending.signal);
  };

  class Source extends Transport {
    async requestDataRange(begin, end) {
      try {
        const chunk = await part(begin, end);
        if (!ending.signal.aborted) this.onDataRange(begin, chunk);
      } catch (error) {
        if (ending.signal.aborted) return;
        // A page that is open waits for the network, and has what it had; one that opens says so.
        const may_come = is_opened && (error.status === 0 || error.status >= 500);
        if (!may_come) return failed(error);
        time.after(RETRY_MS, () => ending.signal.aborted || void this.requestDataRange(begin, end));
      }
    }

    opened() {
      is_opened = true;
    }

    abort() {
      ending.abort();
    }
  }
  return new Source(answer.length_bytes, null);
}

/** The bytes from `begin` to before `end`. Throws an error with a `status`, 0 if nothing came. */
async function fetched(url, begin, end, signal) {
  const fail = (status, message) => Object.assign(new Error(message), { status });
  try {
    const response = await fetch(url, { headers: { Range: `bytes=${begin}-${end - 1}` }, signal });
    if (!response.ok) throw fail(response.status, `The store answered ${response.status}.`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    // Who knows no Range answers with the whole.
    const chunk = response.status === 206 ? bytes : bytes.slice(begin, end);
    if (chunk.length !== end - begin) throw fail(502, "A part of the document is missing.");
    return chunk;
  } catch (error) {
    throw error.status === undefined ? fail(0, "The document cannot be reached.") : error;
  }
}
