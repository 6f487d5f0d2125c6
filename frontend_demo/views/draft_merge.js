/** Owns how a draft that changed on the server meets the one that is edited here: pure. */

import { changeItem, findItem, itemsOf } from "./draft_edit.js";
import { isSame } from "./draft_changes.js";

/**
 * The document both changes lead to, or null if a person has to choose. An upload that is done writes the version
 * of its item into the draft: that contradicts nothing that is edited meanwhile. Everything else that both have
 * changed does.
 *
 * @param {object} base  what both began with
 */
export function merge(base, mine, theirs) {
  if (isSame(base, theirs) || isSame(mine, theirs)) return mine;
  if (isSame(base, mine)) return theirs;
  const arrived = itemsOf(theirs).filter((item) => {
    const before = findItem(base, item.id);
    return before && before.version !== item.version;
  });
  const expected = arrived.reduce((content, item) => changeItem(content, item.id, { version: item.version }), base);
  if (!isSame(expected, theirs)) return null;
  return arrived.reduce((content, item) => changeItem(content, item.id, { version: item.version }), mine);
}
