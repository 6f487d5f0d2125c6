/**
 * Owns how a text of an instructor becomes a part of the page: Markdown by marked, and of what that makes only what
 * a text needs, by DOMPurify. Nothing reaches the page as a string.
 */

const MARKED = "/vendor/marked/marked.mjs";
const PURIFY = "/vendor/dompurify/purify.mjs";

const TAGS = [
  "h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong",
  "del", "a", "img", "table", "thead", "tbody", "tr", "th", "td", "sup", "sub", "kbd",
];
const ATTRIBUTES = ["href", "src", "alt", "title", "start", "align", "colspan", "rowspan"];

/** Addresses a text may name: the web, mail, and places of this site; never a script, nor a sign-in as somebody else. */
const ADDRESSES = /^(?!.*#sign-in=)(?:https?:|mailto:|#\/|\/(?![\\/]))/i;

/**
 * The text as elements. Headings begin a step lower, for the page has its own; links leave in another tab.
 * @param {string} text Markdown @returns {Promise<DocumentFragment>}
 */
export async function markdown(text) {
  const [{ Marked }, { default: purify }] = await Promise.all([import(MARKED), import(PURIFY)]);
  const html = await new Marked({ gfm: true, breaks: false }).parse(text);
  const fragment = purify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOWED_URI_REGEXP: ADDRESSES,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const link of fragment.querySelectorAll("a[href]")) leaveSafely(link);
  for (const picture of fragment.querySelectorAll("img")) picture.loading = "lazy";
  for (const table of fragment.querySelectorAll("table")) scrollable(table);
  for (const heading of fragment.querySelectorAll("h1, h2, h3, h4, h5")) lower(heading);
  return fragment;
}

function leaveSafely(link) {
  if (!/^https?:/i.test(link.getAttribute("href"))) return;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
}

/** A table wider than a phone scrolls by itself, also by keys. */
function scrollable(table) {
  const box = document.createElement("div");
  box.className = "text__table";
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Table");
  table.replaceWith(box);
  box.append(table);
}

function lower(heading) {
  const lowered = document.createElement(`h${Number(heading.tagName[1]) + 1}`);
  lowered.append(...heading.childNodes);
  heading.replaceWith(lowered);
}
