/** Owns the page of a PDF: its pages as one scrolls, their number, their size, and words found in them. */

import { finder } from "./document_find.js";
import { h, say } from "./element.js";
import { readingFrame, tool } from "./reading_frame.js";
import { openPdf } from "./pdf.js";
import { pageAt } from "./places.js";
import { problemView, skeleton } from "./states.js";

const PAGE_MS = 1_000;

/** @returns {Promise<{leave: () => void}>} */
export async function documentView(context, id) {
  const { api, main, still } = context;
  document.title = "Document · Playhead";
  main.replaceChildren(skeleton("header"), skeleton("row", 6));
  const item = await api.item(id);
  const [course, answer] = await Promise.all([api.course(item.course), api.document(id)]);
  if (!still()) return {};
  document.title = `${item.title} · Playhead`;
  const tools = toolbar(item, answer, api);
  const find = finder();
  const lie = { edges: null };
  const frame = readingFrame({
    context, item, course, label: `Pages of ${item.title}`, edges: () => lie.edges?.() ?? null,
    tools: [...tools.elements, find.toggle], extras: [find.element],
  });
  main.replaceChildren(frame.element);
  const fail = (error) => frame.box.replaceChildren(problemView(error, () => location.reload()));
  const pdf = await openPdf({ box: frame.box, answer, settle: frame.settle, renew: () => api.document(id), failed: fail }).catch((error) => (fail(error), null));
  if (!pdf) return { leave: frame.close };
  if (!still()) return pdf.close(), frame.close(), {};
  lie.edges = pdf.edges;
  const offs = [tools.bind(frame.reader, pdf), find.bind(pdf, frame.searched), keys({ ...frame, pdf, find, duration_ms: item.duration_ms })];
  frame.settle();
  frame.focus();
  const leave = () => {
    offs.forEach((off) => off());
    frame.close();
    pdf.close();
  };
  return { leave };
}

/** Pages and sizes. */
function toolbar(item, answer, api) {
  const field = h("input", { class: "tool tool--page", type: "number", inputmode: "numeric", min: "1", max: String(answer.parts), "aria-label": `Page, of ${answer.parts}`, data: { testid: "page-field" } });
  const acts = { reader: null, pdf: null };
  const turn = (by) => () => goTo(acts.reader, pageAt(acts.reader.position_ms, item.duration_ms) + by, item.duration_ms);
  const zoom = (how) => () => acts.pdf?.zoom(how);
  const size = h(
    "select",
    { class: "tool tool--size", "aria-label": "Size", data: { testid: "zoom" } },
    h("option", { value: "auto" }, "Automatic"),
    h("option", { value: "page-width" }, "Fit width"),
    h("option", { value: "page-fit" }, "Fit page"),
    ...[50, 75, 100, 125, 150, 200, 300].map((percent) => h("option", { value: String(percent / 100) }, `${percent} %`)),
    h("option", { value: "other", hidden: true }, ""),
  );
  const save = h("a", { class: "tool", href: answer.download_url, download: answer.file_name, "aria-label": `Save ${answer.file_name}`, title: "Save the file", data: { testid: "save-file" } }, "Save");
  save.addEventListener("click", (event) => void saveFresh(event, save, api, item, answer));
  const elements = [
    h("span", { class: "tools" }, tool("‹", "Page before", turn(-1)), field, h("span", { class: "tools__of" }, `of ${answer.parts}`), tool("›", "Next page", turn(1))),
    h("span", { class: "tools" }, tool("−", "Smaller", zoom("out")), size, tool("+", "Larger", zoom("in"))),
    save,
  ];
  const bind = (reader, pdf) => {
    Object.assign(acts, { reader, pdf });
    field.addEventListener("change", () => goTo(reader, Number(field.value), item.duration_ms));
    size.addEventListener("change", () => pdf.zoom(size.value));
    const update = () => document.activeElement !== field && (field.value = String(pageAt(reader.position_ms, item.duration_ms)));
    const resize = () => showSize(size, pdf.size());
    pdf.onSize(resize);
    resize();
    update();
    return reader.on("change", update);
  };
  return { elements, bind };
}

function showSize(size, { value, scale }) {
  const known = [...size.options].find((option) => option.value === value || Math.abs(Number(option.value) - scale) < 0.005);
  const other = size.querySelector("[value=other]");
  if (!known || (known === other)) say(other, `${Math.round(scale * 100)} %`);
  (known ?? other).selected = true;
}

/** To page `page`, from 1. */
function goTo(reader, page, duration_ms) {
  const last = Math.max(1, Math.round(duration_ms / PAGE_MS));
  if (reader && Number.isFinite(page)) reader.seek((Math.min(last, Math.max(1, Math.round(page))) - 1) * PAGE_MS);
}

/** The address may have run out while one was reading: a click gets a fresh one. */
async function saveFresh(event, link, api, item, answer) {
  if (answer.local || link.dataset.fresh) return;
  event.preventDefault();
  try {
    link.href = (await api.document(item.id)).download_url;
  } catch {
    // The address of before may still be good.
  }
  link.dataset.fresh = "yes";
  link.click();
  delete link.dataset.fresh;
}

/** Keys for reading; scrolling has the browser's own. */
function keys({ box, reader, pdf, find, duration_ms }) {
  const page = (by) => () => goTo(reader, pageAt(reader.position_ms, duration_ms) + by, duration_ms);
  const table = {
    arrowright: page(1), n: page(1), arrowleft: page(-1), p: page(-1), home: () => goTo(reader, 1, duration_ms), end: () => goTo(reader, duration_ms / PAGE_MS, duration_ms),
    "+": () => pdf.zoom("in"), "=": () => pdf.zoom("in"), "-": () => pdf.zoom("out"), 0: () => pdf.zoom("auto"), "/": find.open,
  };
  const hear = (event) => {
    const finds = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "f";
    if (event.defaultPrevented || ((event.ctrlKey || event.metaKey || event.altKey) && !finds)) return;
    if (!finds && event.target.closest("input, select, textarea, [contenteditable], summary, dialog")) return;
    const act = finds ? find.open : table[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener("keydown", hear);
  return () => document.removeEventListener("keydown", hear);
}
