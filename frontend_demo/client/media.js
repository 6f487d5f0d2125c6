/** Owns questions on how to play an item, asked on the link and answered by it (P34-P36). */

/** The server answers in 5 s or says that it cannot. */
const ANSWER_MS = 6_000;

/** No way to play, or none now: `status` is 404 refused, 503 ask again in `retry_after_ms`, 0 no answer. */
export class MediaRefused extends Error {
  name = "MediaRefused";

  constructor(status, message, retry_after_ms = 0) {
    super(message);
    this.status = status;
    this.retry_after_ms = retry_after_ms;
  }
}

export class MediaQuestions {
  #send;
  #time;
  #open = new Map();

  /** @param {(message: object) => boolean} send  false when there is no link */
  constructor(send, time) {
    this.#send = send;
    this.#time = time;
  }

  /** Asks; whoever asks for the same item meanwhile gets the same answer. */
  ask(item) {
    const open = this.#open.get(item);
    if (open) return open.promise;
    const question = {};
    question.promise = new Promise((resolve, reject) => Object.assign(question, { resolve, reject }));
    this.#open.set(item, question);
    question.cancel = this.#time.after(ANSWER_MS, () => this.#fail(item, 0, "The server does not answer."));
    if (!this.#send({ type: "media", item })) this.#fail(item, 0, "There is no connection to the server.");
    return question.promise;
  }

  /** An answer has come. */
  hear({ item, media = null, code = "", retry_after_ms = 0 }) {
    if (!media) return this.#fail(item, code === "not_found" ? 404 : 503, refusal(code), retry_after_ms);
    this.#take(item)?.resolve(media);
  }

  /** The link is gone, and with it all answers. */
  lost() {
    for (const item of [...this.#open.keys()]) this.#fail(item, 0, "The connection to the server is lost.");
  }

  #fail(item, status, message, retry_after_ms = 0) {
    this.#take(item)?.reject(new MediaRefused(status, message, retry_after_ms));
  }

  #take(item) {
    const question = this.#open.get(item);
    this.#open.delete(item);
    question?.cancel();
    return question;
  }
}

function refusal(code) {
  if (code === "not_found") return "There is no such thing here, or it is not yours.";
  return "The server is busy; try again in a moment.";
}
