/**
 * Owns where a student stands in one item, as one page sees it: the head, the other device that has it, and the
 * second place on offer. What a player of a lecture and a reader of a document have in common.
 */

import { Emitter } from "./emitter.js";

export class Standing extends Emitter {
  #client;
  #item;
  #version;
  #known_offer = null;

  /** @param {import("./client.js").Client} client @param {{item: string, version: string}} of */
  constructor(client, { item, version }) {
    super();
    this.#client = client;
    this.#item = item;
    this.#version = version;
  }

  get item() {
    return this.#item;
  }

  get version() {
    return this.#version;
  }

  /** The newest head of the item, or null. */
  get head() {
    return this.#client.heads.get(this.#item);
  }

  /**
   * The other device that has the baton: where it is by now and whether it plays. Null if it is ours or
   * nobody's.
   */
  get elsewhere() {
    const { head } = this;
    if (!head || head.rev === 0 || !head.device || this.isMine(head)) return null;
    const { device, device_name, device_kind, playing } = head;
    return { device, device_name, device_kind, playing, position_ms: this.placeNow() };
  }

  /** The second place on offer (R4), unless the user has acted on it or dismissed it; else null. */
  get offer() {
    const { head } = this;
    if (!this.isPlace(head) || !head.candidate || offerKey(head.candidate) === this.#known_offer) return null;
    return head.candidate;
  }

  /** The user does not want the offered place. */
  dismissOffer() {
    this.answerOffer();
    this.emit("change");
  }

  /** The user has acted, so what is offered by now is answered. */
  answerOffer() {
    this.#known_offer = offerKey(this.head?.candidate);
  }

  /** Whether this device has the baton by that head. */
  isMine(head) {
    return head.device === this.#client.device.id;
  }

  /** A head of another version is no place in this one: its seconds are others (R9). */
  isPlace(head) {
    return Boolean(head) && head.rev > 0 && head.version === this.#version;
  }

  /** Where the item stands now, on whatever device; null if that is no place here. */
  placeNow() {
    return this.isPlace(this.head) ? this.#client.heads.place(this.#item) : null;
  }
}

function offerKey(candidate) {
  return candidate ? `${candidate.device} ${candidate.at_ms} ${candidate.position_ms}` : null;
}
