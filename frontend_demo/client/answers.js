/** Owns the open attempts at quizzes: one visit each, from the first answer to handing in. */

import { Visit } from "./visit.js";
import { wellFormed } from "./entries.js";

const QUESTION_MAX = 64;
const VALUE_MAX = 4_096;

/** An answer has to fit into a frame with everything around it. */
const VALUE_MAX_BYTES = 15_000;

/** What the server does not take for printable in a name: controls, formats, every space but the usual. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

/** What nobody types into an answer. */
const CONTROL = /(?![\t\n\r])\p{Cc}/u;

export class Answers {
  #client;
  #visits = new Map();

  constructor(client) {
    this.#client = client;
  }

  /** One answer to one question; other questions keep theirs. Throws RangeError for what no server takes. */
  answer(item, version, question, value) {
    checkText("question", question, 1, QUESTION_MAX, UNPRINTABLE);
    checkText("value", value, 0, VALUE_MAX, CONTROL);
    this.#visit(item, version).act("answered", { question, value });
  }

  /** Hands the attempt in: it is immutable from then on. */
  submit(item, version) {
    this.#visit(item, version).act("submitted", {});
  }

  /** The page goes away. */
  leave() {
    for (const visit of this.#visits.values()) visit.close();
    this.#visits.clear();
  }

  #visit(item, version) {
    const key = JSON.stringify([item, version]);
    if (!this.#visits.has(key)) this.#visits.set(key, new Visit(this.#client, { item, version }));
    return this.#visits.get(key);
  }
}

function checkText(name, text, least, most, refused) {
  if (typeof text !== "string") throw new TypeError(`${name}: must be a string`);
  const length = [...text].length;
  if (length < least || length > most) throw new RangeError(`${name}: must have ${least} to ${most} characters`);
  if (text !== wellFormed(text)) throw new RangeError(`${name}: has half a character in it`);
  const found = text.match(refused);
  if (found) throw new RangeError(`${name}: U+${found[0].codePointAt(0).toString(16).padStart(4, "0")} is not printable`);
  const bytes = new TextEncoder().encode(JSON.stringify(text)).length;
  if (bytes > VALUE_MAX_BYTES) throw new RangeError(`${name}: must fit into ${VALUE_MAX_BYTES} bytes`);
}
