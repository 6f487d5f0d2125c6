/**
 * Owns how bytes reach a media element: hls.js where MediaSource is, the browser's own HLS elsewhere, a plain
 * mp4 as the last way; and the renewal of addresses that run out.
 */

const HLS_JS = "/vendor/hls.js/hls.mjs";
const HLS_TYPE = "application/vnd.apple.mpegurl";

/** Buffered ahead when the network allows: a lift ride, not a flight. */
const BUFFER_S = 180;

/** Addresses are renewed after this share of their life. */
const RENEW_SHARE = 0.8;

const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 15_000;

export class Media {
  #video;
  #fetch;
  #changed;
  #hls = null;
  #until_ms = 0;
  #failures = 0;
  #timer = null;
  #closed = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {() => Promise<object>} fetch  `GET /v1/items/{id}/media`
   * @param {(problem: string | null) => void} changed  told what stands in the way, or null when it plays
   */
  constructor(video, fetch, changed) {
    this.#video = video;
    this.#fetch = fetch;
    this.#changed = changed;
    video.addEventListener("error", () => !this.#hls && this.#retry());
    video.addEventListener("playing", () => this.#well());
  }

  /** Loads; tries again by itself while the network is away. */
  async load() {
    clearTimeout(this.#timer);
    try {
      const addresses = await this.#fetch();
      if (this.#closed) return;
      this.#until_ms = Date.now() + addresses.expires_in_s * 1000 * RENEW_SHARE;
      if (addresses.poster_url && !this.#video.poster) this.#video.poster = addresses.poster_url;
      await this.#use(addresses);
    } catch (error) {
      if (error.status >= 400 && error.status < 500) this.#changed(error.message);
      else this.#retry();
    }
  }

  /** Before a play: new addresses if the old ones have grown old during a pause (S46). */
  async fresh() {
    if (Date.now() < this.#until_ms) return;
    await this.load();
  }

  /** The user asks to try again now. */
  again() {
    this.#failures = 0;
    void this.load();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#hls?.destroy();
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  async #use({ hls_url, mp4_url }) {
    const Hls = window.MediaSource || window.ManagedMediaSource ? (await import(HLS_JS)).default : null;
    if (this.#closed) return;
    if (hls_url && Hls?.isSupported()) return this.#useHlsJs(Hls, hls_url);
    const native = hls_url && this.#video.canPlayType(HLS_TYPE);
    this.#video.src = native ? hls_url : mp4_url;
  }

  #useHlsJs(Hls, url) {
    if (this.#hls) return this.#hls.loadSource(url);
    this.#hls = new Hls({
      // Playlists carry signed addresses: nothing may be added to them, and the whole file is one of them.
      enableWorker: false,
      capLevelToPlayerSize: true,
      maxBufferLength: BUFFER_S,
      backBufferLength: BUFFER_S,
      startPosition: -1,
    });
    this.#hls.on(Hls.Events.ERROR, (_, problem) => problem.fatal && this.#broke(Hls, problem));
    this.#hls.on(Hls.Events.FRAG_BUFFERED, () => this.#well());
    this.#hls.loadSource(url);
    this.#hls.attachMedia(this.#video);
  }

  #broke(Hls, problem) {
    if (problem.type === Hls.ErrorTypes.MEDIA_ERROR && this.#failures < 2) {
      this.#failures += 1;
      return this.#hls.recoverMediaError();
    }
    this.#retry();
  }

  #retry() {
    if (this.#closed) return;
    this.#failures += 1;
    const wait_ms = Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** Math.min(8, this.#failures));
    this.#changed(navigator.onLine ? "The video does not come through. Trying again …" : "Waiting for the network …");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#resume(), wait_ms);
  }

  /** Goes on loading where the buffer ends if the addresses are still good: what is buffered plays on. */
  #resume() {
    if (this.#hls?.levels.length && Date.now() < this.#until_ms) this.#hls.startLoad();
    else void this.load();
  }

  #well() {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#changed(null);
  }
}
