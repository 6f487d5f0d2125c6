/** Owns who listens to what: a list of listeners per event name. */

export class Emitter {
  #listeners = new Map();

  /**
   * Calls `listener(detail)` at each `name`. Returns the function that takes the listener off again.
   * @param {string} name @param {(detail: any) => void} listener @returns {() => void}
   */
  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(listener);
    return () => this.#listeners.get(name)?.delete(listener);
  }

  /** Resolves with the detail of the next `name`. @param {string} name @returns {Promise<any>} */
  once(name) {
    return new Promise((resolve) => {
      const off = this.on(name, (detail) => {
        off();
        resolve(detail);
      });
    });
  }

  /** A listener that throws is reported and does not keep the others from hearing. */
  emit(name, detail) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(detail);
      } catch (error) {
        globalThis.reportError ? globalThis.reportError(error) : console.error(error);
      }
    }
  }

  /** Takes every listener off. */
  silence() {
    this.#listeners.clear();
  }
}
