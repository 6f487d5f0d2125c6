/** Owns what can be done to the draft of a course: pure, each gives a new document and leaves the old one as it was. */

/** Kinds of items one can add, in the order they are offered. */
export const NEW_KINDS = ["video", "pdf", "text", "quiz", "assignment"];

const EMPTY = {
  video: () => ({}),
  pdf: () => ({}),
  text: () => ({ markdown: "" }),
  quiz: () => ({ questions: [] }),
  assignment: () => ({ markdown: "" }),
};

/** A new item without anything in it. `mark` is random: ids are one space for all courses, and stay for good. */
export function newItem(kind, title, mark) {
  return { id: `${kind}-${mark}`, kind, title, version: null, content: EMPTY[kind]?.() ?? {} };
}

/** Every item, in order. */
export function itemsOf(content) {
  return content.sections.flatMap((section) => section.items);
}

export function findItem(content, id) {
  return itemsOf(content).find((item) => item.id === id) ?? null;
}

/** Replaces fields of one item. */
export function changeItem(content, id, fields) {
  return withSections(content, (sections) =>
    sections.map((section) => ({ ...section, items: section.items.map((item) => (item.id === id ? { ...item, ...fields } : item)) })),
  );
}

export function removeItem(content, id) {
  return withSections(content, (sections) => sections.map((section) => ({ ...section, items: section.items.filter((item) => item.id !== id) })));
}

export function addItem(content, section, item) {
  return withSections(content, (sections) => replaced(sections, section, { ...sections[section], items: [...sections[section].items, item] }));
}

/** Moves an item by one place (`by` -1 or 1); over the border of its section into the next one. */
export function moveItem(content, id, by) {
  return withSections(content, (sections) => {
    const from = sections.findIndex(({ items }) => items.some((item) => item.id === id));
    const at = sections[from].items.findIndex((item) => item.id === id);
    const to = at + by;
    if (to >= 0 && to < sections[from].items.length) return replaced(sections, from, { ...sections[from], items: swapped(sections[from].items, at, to) });
    const next = from + by;
    if (next < 0 || next >= sections.length) return sections;
    const item = sections[from].items[at];
    const left = replaced(sections, from, { ...sections[from], items: sections[from].items.filter((each) => each !== item) });
    const items = by < 0 ? [...left[next].items, item] : [item, ...left[next].items];
    return replaced(left, next, { ...left[next], items });
  });
}

/** Whether `moveItem` would change anything. */
export function canMoveItem(content, id, by) {
  const { section, at, of } = placeOf(content, id);
  const to = at + by;
  return (to >= 0 && to < of) || (section + by >= 0 && section + by < content.sections.length);
}

/** Where an item stands: its section, its place in it, and of how many; counted from 0. */
export function placeOf(content, id) {
  const section = content.sections.findIndex(({ items }) => items.some((item) => item.id === id));
  const { items } = content.sections[section];
  return { section, at: items.findIndex((item) => item.id === id), of: items.length };
}

export function addSection(content, title) {
  return withSections(content, (sections) => [...sections, { title, items: [] }]);
}

export function renameSection(content, index, title) {
  return withSections(content, (sections) => replaced(sections, index, { ...sections[index], title }));
}

export function removeSection(content, index) {
  return withSections(content, (sections) => sections.filter((_, at) => at !== index));
}

export function moveSection(content, index, by) {
  const to = index + by;
  if (to < 0 || to >= content.sections.length) return content;
  return withSections(content, (sections) => swapped(sections, index, to));
}

function withSections(content, change) {
  return { ...content, sections: change(content.sections) };
}

function replaced(list, index, value) {
  return list.map((each, at) => (at === index ? value : each));
}

function swapped(list, a, b) {
  return list.map((each, at) => (at === a ? list[b] : at === b ? list[a] : each));
}
