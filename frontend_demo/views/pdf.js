/** Owns pdf.js: it draws the pages that are in view into a box, with their text, and finds words. */

import { pdfSource } from "./pdf_source.js";

const LIBRARY = "/vendor/pdfjs/pdf.mjs";
const VIEWER = "/vendor/pdfjs/pdf_viewer.mjs";
const STYLE = "/vendor/pdfjs/pdf_viewer.css";

/** A page of a phone's screen is drawn with at most so many pixels. */
const PIXELS_MAX = 2 ** 24;

/** Sizes that follow the window. */
const FITTING = new Set(["auto", "page-width", "page-fit"]);

const ZOOM_STEP = 1.15;
const [ZOOM_MIN, ZOOM_MAX] = [0.25, 5];

/**
 * Opens a document in a box that scrolls. `settle` is called when its pages lie otherwise than before; `renew` asks
 * for the answer again, whose address runs out; `failed` hears of an open document that does not go on.
 * @param {{box: HTMLElement, answer: {url: string, length_bytes: number}, settle: () => void,
 *          renew: () => Promise<{url: string}>, failed: (error: Error) => void}} of
 */
export async function openPdf({ box, answer, settle, renew, failed }) {
  const library = await import(LIBRARY);
  const [viewing] = await Promise.all([import(VIEWER), styled()]);
  library.GlobalWorkerOptions.workerSrc = "/vendor/pdfjs/pdf.worker.mjs";
  let fail = null;
  const broken = new Promise((_, reject) => (fail = reject));
  const source = pdfSource(library.PDFDataRangeTransport, { answer, renew, failed: (error) => fail(error) });
  const task = library.getDocument({
    range: source,
    cMapUrl: "/vendor/pdfjs/cmaps/",
    standardFontDataUrl: "/vendor/pdfjs/standard_fonts/",
    wasmUrl: "/vendor/pdfjs/wasm/",
    iccUrl: "/vendor/pdfjs/iccs/",
    isEvalSupported: false,
    enableXfa: false,
    // Only what is looked at is fetched, by Range.
    disableAutoFetch: true,
    disableStream: true,
  });
  const opening = async () => {
    const pdf = await task.promise;
    const made = viewer(viewing, box);
    made.viewer.setDocument(pdf);
    made.links.setDocument(pdf, null);
    await made.viewer.firstPagePromise;
    return { pdf, made };
  };
  const { pdf, made } = await Promise.race([opening(), broken]).catch((error) => {
    void task.destroy();
    throw error;
  });
  fail = failed;
  source.opened();
  made.viewer.currentScaleValue = "auto";
  const shown = face(made, box, pdf.numPages, settle);
  const close = () => {
    shown.stop();
    made.viewer.cleanup();
    void task.destroy();
  };
  return { ...shown, close };
}

function viewer({ EventBus, PDFLinkService, PDFFindController, PDFViewer, LinkTarget }, box) {
  const pages = document.createElement("div");
  pages.className = "pdfViewer";
  box.replaceChildren(pages);
  const events = new EventBus();
  const links = new PDFLinkService({ eventBus: events, externalLinkTarget: LinkTarget.BLANK, externalLinkRel: "noopener noreferrer" });
  const find = new PDFFindController({ eventBus: events, linkService: links });
  const made = new PDFViewer({
    container: box, viewer: pages, eventBus: events, linkService: links, findController: find,
    removePageBorders: true, maxCanvasPixels: PIXELS_MAX, textLayerMode: 1, annotationMode: 1,
  });
  links.setViewer(made);
  return { viewer: made, links, events, pages };
}

/** What the page does with it. */
function face({ viewer, events, pages }, box, count, settle) {
  let lie = null;
  const edges = () => (lie ??= measured(pages, box, count));
  const changed = () => {
    lie = null;
    settle();
  };
  const layout = new ResizeObserver(() => {
    if (FITTING.has(viewer.currentScaleValue)) viewer.currentScaleValue = viewer.currentScaleValue;
    changed();
  });
  layout.observe(box);
  layout.observe(pages);
  events.on("scalechanging", () => requestAnimationFrame(changed));
  const zoom = (how) => {
    const by = { in: ZOOM_STEP, out: 1 / ZOOM_STEP }[how];
    if (by) viewer.currentScale = Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, viewer.currentScale * by));
    else viewer.currentScaleValue = how;
  };
  const find = ({ text, again = false, back = false }) =>
    events.dispatch("find", { type: again ? "again" : "", query: text, highlightAll: true, caseSensitive: false, entireWord: false, findPrevious: back, matchDiacritics: false });
  const onHits = (tell) => {
    const hear = ({ matchesCount, rawQuery, source }) => tell({ ...matchesCount, text: rawQuery ?? source?.state?.query ?? "" });
    events.on("updatefindmatchescount", hear);
    events.on("updatefindcontrolstate", hear);
  };
  return {
    edges, zoom, find, onHits,
    size: () => ({ value: viewer.currentScaleValue, scale: viewer.currentScale }),
    onSize: (tell) => events.on("scalechanging", tell),
    stop: () => layout.disconnect(),
  };
}

/** The upper edges of the pages in px of the box's content, and the lower edge of the last; null before layout. */
function measured(pages, box, count) {
  const top = box.getBoundingClientRect().top - box.scrollTop;
  const boxes = [...pages.children].slice(0, count).map((page) => page.getBoundingClientRect());
  if (boxes.length < count || boxes.at(-1).height === 0) return null;
  const edges = [...boxes.map((page) => page.top - top), boxes.at(-1).bottom - top];
  // What is above the first page is its own.
  return [0, ...edges.slice(1)];
}

/** The sheet for the layers of text and links. */
function styled() {
  if (document.querySelector(`link[href="${STYLE}"]`)) return null;
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: STYLE });
  const there = new Promise((resolve) => (sheet.onload = sheet.onerror = resolve));
  document.head.append(sheet);
  return there;
}
