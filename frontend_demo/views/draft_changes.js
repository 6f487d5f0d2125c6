/** Owns what is different between two documents of a course, and how a person is told: pure. */

import { itemsOf } from "./draft_edit.js";

const FIELDS = new Map([
  ["title", "the title"],
  ["description", "the description"],
  ["instructor", "the instructor's name"],
  ["category", "the category"],
  ["difficulty", "the level"],
  ["language", "the language"],
  ["poster", "the picture"],
]);

/** Kinds whose version is a file that was uploaded. */
const FILES = { video: "video", pdf: "document" };

/**
 * The differences, one sentence each; `before` null: there was nothing before.
 * @returns {string[]}
 */
export function changesBetween(before, after) {
  if (!before) return [`The course is published for the first time, with ${counted(itemsOf(after).length)}.`];
  const were = new Map(itemsOf(before).map((item) => [item.id, item]));
  const are = new Map(itemsOf(after).map((item) => [item.id, item]));
  const added = [...are.values()].filter(({ id }) => !were.has(id));
  const gone = [...were.values()].filter(({ id }) => !are.has(id));
  return [
    ...fieldChanges(before, after),
    ...added.map((item) => `New: ${quoted(item.title)}.`),
    ...gone.map((item) => `Taken out: ${quoted(item.title)}. What students did in it is kept.`),
    ...[...are.values()].filter(({ id }) => were.has(id)).flatMap((item) => itemChanges(were.get(item.id), item)),
    ...orderChanges(before, after, [...are.keys()].filter((id) => were.has(id))),
  ];
}

/**
 * What has to be done before the document can be published, one sentence each.
 * @returns {string[]}
 */
export function unfinished(content) {
  const items = itemsOf(content);
  return [
    !content.title.trim() && "The course has no title.",
    !items.length && "There is nothing in it yet.",
    ...items.map((item) => lack(item)),
  ].filter(Boolean);
}

function lack({ kind, title, version, content }) {
  if (!title.trim()) return `An item (${kind}) has no title.`;
  if (FILES[kind] && !version) return `${quoted(title)} has no ${FILES[kind]} yet: upload one, or take the item out.`;
  if ((kind === "text" || kind === "assignment") && !content.markdown?.trim()) return `${quoted(title)} is empty.`;
  if (kind !== "quiz") return null;
  if (!content.questions?.length) return `${quoted(title)} has no questions.`;
  if (content.questions.some(({ text }) => !text.trim())) return `${quoted(title)} has a question without words.`;
  return null;
}

function fieldChanges(before, after) {
  const changed = [...FIELDS].filter(([field]) => (before[field] ?? "") !== (after[field] ?? "")).map(([, words]) => words);
  return changed.length ? [`Changed: ${listed(changed)}.`] : [];
}

function itemChanges(before, after) {
  const changes = [];
  if (before.title !== after.title) changes.push(`${quoted(before.title)} is called ${quoted(after.title)}.`);
  const file = FILES[after.kind];
  if (file && before.version !== after.version) changes.push(`${quoted(after.title)} has a new ${file}.`);
  if (!isSame(before.content, after.content)) changes.push(`${quoted(after.title)} was edited.`);
  return changes;
}

function orderChanges(before, after, kept) {
  const order = (content) => itemsOf(content).map(({ id }) => id).filter((id) => kept.includes(id));
  const sections = (content) => content.sections.map(({ title }) => title);
  const homes = (content) => content.sections.flatMap(({ items }, index) => items.map(({ id }) => [id, index])).filter(([id]) => kept.includes(id)).sort();
  const renamed = !isSame(sections(before), sections(after));
  const moved = !isSame(order(before), order(after)) || (!renamed && !isSame(homes(before), homes(after)));
  return [moved && "The order of the items is another one.", renamed && "The sections have changed."].filter(Boolean);
}

/** Whether two documents say the same; the order of an object's fields does not matter. */
export function isSame(a, b) {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => isSame(a[name], b[name]));
}

function counted(count) {
  return `${count} item${count === 1 ? "" : "s"}`;
}

function quoted(title) {
  return `\u201c${title}\u201d`;
}

function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
