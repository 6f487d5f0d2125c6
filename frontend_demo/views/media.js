/**
 * Owns how bytes reach a media element: hls.js where MediaSource is, the browser's own HLS elsewhere, a plain mp4 as
 * the last way; which quality; and that addresses that run out are renewed without anybody noticing (S46).
 */

import { Emitter } from "../client/emitter.js";
import { engineSettings, loadEngine, playlistHeaders, spare_s } from "./engine.js";
import { like, liking, savesData } from "./liking.js";
import { addressIn, isSameFile } from "./playlist.js";
import { beginning, warmPlaylists } from "./prefetch.js";
import { heightOf, nameIn, nearest } from "./rendition.js";

const HLS_TYPE = "application/vnd.apple.mpegurl";

/** With this much loaded ahead a play need not wait for new addresses. */
const ENOUGH_S = 4;

const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 15_000;

/** The longest a timer can be. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** A refused address: it ran out, or the right to it did; asking again tells which. */
const REFUSED = new Set([401, 403, 410]);

/**
 * Events: `trouble` {text} (null: it is over), `addresses` {answer} (new ones), `qualities` {} (they are
 * known), `quality` {name, auto} (another one is on the screen), `failed` {code, status, fatal}.
 */
export class Media extends Emitter {
  #video;
  #addresses;
  #of;
  #place_ms;
  #hls = null;
  #Hls = null;
  #renewed = new Map();
  #base = null;
  #started_s = 0;
  #wanted = liking().quality;
  #saves = savesData();
  #measured = false;
  #failures = 0;
  #retry_timer = null;
  #renew_timer = null;
  #offs = [];
  #closed = false;
  #attach;
  #attached = new Promise((resolve) => (this.#attach = resolve));

  /** Whether somebody has pressed play and waits for the first addresses. */
  pending = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {{item: string, play: string, addresses: import("./addresses.js").Addresses, place_ms: () => number}} of
   *        `play`: a random id of this visit; `place_ms`: where it is going to begin
   */
  constructor(video, { item, play, addresses, place_ms }) {
    super();
    this.#video = video;
    this.#addresses = addresses;
    this.#of = { item, play };
    this.#place_ms = place_ms;
    this.#listen("error", () => this.#elementFailed());
    this.#listen("playing", () => (this.#well(), this.#keepFresh()));
    this.#listen("loadedmetadata", () => this.#placed());
    for (const name of ["play", "pause"]) this.#listen(name, () => this.#ahead());
  }

  /** The names of the rungs, best first; empty where the browser chooses by itself. */
  get qualities() {
    return (this.#hls?.levels ?? []).map((level) => nameOf(level)).sort((a, b) => heightOf(b) - heightOf(a));
  }

  /** The rung that was asked for, or `auto`. */
  get wanted() {
    return this.#wanted;
  }

  /** The rung on the screen; empty before the first. */
  get shown() {
    const level = this.#hls?.levels[this.#hls.currentLevel];
    return level ? nameOf(level) : "";
  }

  /** Frames a second of what is shown. */
  get frames_per_s() {
    return this.#hls?.levels[this.#hls.currentLevel]?.frameRate || 25;
  }

  /** Whether the place where it would begin has been loaded. */
  get ready() {
    return this.#video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
  }

  /** Loads; tries again by itself while the network is away. */
  async load() {
    clearTimeout(this.#retry_timer);
    try {
      const [answer, Hls] = await Promise.all([this.#warmed(), loadEngine()]);
      if (this.#closed) return;
      this.#Hls = Hls;
      this.emit("addresses", { answer });
      if (answer.poster_url && !this.#video.poster) this.#video.poster = answer.poster_url;
      this.#use(answer);
      this.#keepFresh();
    } catch (error) {
      this.#refused(error);
    }
  }

  /**
   * Before a play: the first addresses, or new ones if the old ones have grown old during a pause (S46). What is
   * loaded plays at once; nobody waits for addresses that are needed later.
   * @returns {Promise<boolean>} false if the page has been left meanwhile
   */
  async fresh() {
    // An element that is given its source after a press forgets the press.
    this.pending = true;
    await this.#attached;
    this.pending = false;
    if (!this.#closed && this.#addresses.good_ms <= 0) {
      const renewing = this.#renew();
      if (this.#aheadOf() < ENOUGH_S) await renewing;
    }
    return !this.#closed;
  }

  /** Plays in that quality from the next segment on, and in the next lecture too. */
  choose(name) {
    this.#wanted = name;
    like({ quality: name });
    // What is loaded ahead is thrown away only for a quality that was asked for by name.
    if (this.#hls && name === "auto") this.#hls.loadLevel = -1;
    else if (this.#hls) this.#hls.nextLevel = this.#levelOf(name);
    this.emit("qualities", {});
  }

  /** The user asks to try again now. */
  again() {
    this.#failures = 0;
    void this.#loadAnew();
  }

  close() {
    this.#closed = true;
    this.#attach();
    clearTimeout(this.#retry_timer);
    clearTimeout(this.#renew_timer);
    for (const off of this.#offs) off();
    // Before anything has come through, the engine's figure is a guess.
    if (this.#measured) like({ bandwidth: Math.round(this.#hls.bandwidthEstimate) || 0 });
    this.#hls?.destroy();
    this.#video.removeAttribute("src");
    this.#video.load();
    this.silence();
  }

  #listen(name, act) {
    this.#video.addEventListener(name, act);
    this.#offs.push(() => this.#video.removeEventListener(name, act));
  }

  /** The playlists are on their way while the engine still is. */
  async #warmed() {
    const answer = await this.#addresses.get();
    if (!this.#hls) void warmPlaylists(this.#of.item, answer);
    return answer;
  }

  #use({ hls_url, mp4_url, renditions }) {
    this.#renewed.clear();
    this.#base = hls_url ? new URL(hls_url, location.href) : null;
    if (hls_url && this.#Hls) this.#useEngine(hls_url, renditions);
    else this.#video.src = hls_url && this.#video.canPlayType(HLS_TYPE) ? hls_url : mp4_url;
    this.#attach();
  }

  #useEngine(url, renditions) {
    if (this.#hls) return this.#hls.loadSource(url);
    const route = (xhr, address, context) => this.#route(xhr, address, context);
    const { bandwidth } = liking();
    const hls = new this.#Hls(engineSettings({ ...this.#of, bandwidth, saves: this.#saves, route }));
    const { Events } = this.#Hls;
    this.#hls = hls;
    hls.on(Events.MANIFEST_PARSED, () => this.#begin(renditions));
    hls.on(Events.LEVEL_SWITCHED, (_, { level }) => this.emit("quality", { name: nameOf(hls.levels[level]), auto: hls.autoLevelEnabled }));
    hls.on(Events.ERROR, (_, problem) => this.#engineFailed(problem));
    hls.on(Events.FRAG_BUFFERED, () => ((this.#measured = true), this.#well()));
    hls.loadSource(url);
    hls.attachMedia(this.#video);
  }

  // ---- beginning ----------------------------------------------------------------------------------------

  /** Loads first what will be seen first: in the right quality, from the place where the student is. */
  #begin(renditions) {
    const hls = this.#hls;
    const rendition = beginning(this.#of.item, renditions);
    if (rendition) hls.startLevel = this.#levelOf(rendition.name);
    if (this.#wanted !== "auto") hls.loadLevel = this.#levelOf(this.#wanted);
    this.emit("qualities", {});
    this.#started_s = this.#place_ms() / 1000;
    hls.startLoad(this.#started_s);
  }

  /**
   * The player has put the element where the student is. A place of 0 is no seek, so the engine would not hear that
   * it is not where it was when loading began, and would go there itself.
   */
  #placed() {
    if (!this.#hls || this.#hls.hasEnoughToStart) return;
    const place_s = this.#place_ms() / 1000;
    if (place_s > 0.5 || this.#started_s <= 0.5) return;
    this.#started_s = place_s;
    this.#hls.startLoad(place_s);
  }

  /** Where every byte is paid for, a lecture at rest has only its start loaded. */
  #ahead() {
    if (this.#hls && this.#saves) this.#hls.config.maxBufferLength = spare_s(!this.#video.paused);
  }

  #aheadOf() {
    const { buffered, currentTime } = this.#video;
    for (let index = 0; index < buffered.length; index += 1) {
      if (buffered.start(index) <= currentTime + 0.1 && buffered.end(index) > currentTime) return buffered.end(index) - currentTime;
    }
    return 0;
  }

  // ---- addresses ----------------------------------------------------------------------------------------

  /** While it plays, new addresses come before the old ones end. At rest the next play asks. */
  #keepFresh() {
    clearTimeout(this.#renew_timer);
    if (this.#closed || this.#video.paused) return;
    const wait_ms = Math.min(TIMER_MAX_MS, Math.max(1_000, this.#addresses.good_ms));
    this.#renew_timer = setTimeout(() => !this.#video.paused && void this.#renew(), wait_ms);
  }

  /** Takes new addresses and goes on as if nothing had been: what is loaded stays loaded. */
  async #renew() {
    try {
      const answer = await this.#addresses.renew();
      if (this.#closed) return;
      this.emit("addresses", { answer });
      if (!(await this.#adopt(answer))) this.#use(answer);
      this.#keepFresh();
    } catch (error) {
      this.#refused(error);
    }
  }

  /** Whether the engine can go on where it is: they are other addresses of the very same bytes. */
  async #adopt({ hls_url }) {
    if (!this.#hls?.levels.length || !hls_url) return false;
    const base = new URL(hls_url, location.href);
    const loaded = this.#hls.levels.filter((level) => level.details);
    const renewed = await Promise.all(loaded.map((level) => this.#renewedFile(level, base)));
    if (this.#closed) return true;
    if (renewed.includes(null)) return false;
    loaded.forEach((level, index) => this.#renewed.set(nameOf(level), renewed[index]));
    this.#base = base;
    return true;
  }

  /** The new address of the file of a rung; null if it is another file by now. */
  async #renewedFile(level, base) {
    const headers = playlistHeaders({ bandwidth: this.#hls.bandwidthEstimate, ahead_s: this.#aheadOf() });
    const response = await fetch(new URL(`${nameOf(level)}.m3u8`, base), { headers });
    if (!response.ok) return null;
    const text = await response.text();
    const address = isSameFile(text, level.details.m3u8) ? addressIn(text) : null;
    return address && new URL(address, response.url).href;
  }

  /** Opens a request at the newest address of what is asked for. */
  #route(xhr, address, { frag, type, headers }) {
    if (frag) for (const name of Object.keys(headers ?? {})) if (name.startsWith("CMCD-")) delete headers[name];
    const name = frag ? nameOf(this.#hls.levels[frag.level]) : nameIn(address);
    const renewed = frag ? this.#renewed.get(name) : type === "level" && name && new URL(`${name}.m3u8`, this.#base).href;
    if (renewed && renewed !== address) xhr.open("GET", renewed, true);
  }

  // ---- failures -----------------------------------------------------------------------------------------

  #elementFailed() {
    const { error } = this.#video;
    if (this.#hls || !error) return;
    this.emit("failed", { code: `media.${error.code}`, status: 0, fatal: true });
    this.#retry();
  }

  #engineFailed(problem) {
    const status = problem.response?.code ?? 0;
    // A wait for data is told as a wait, and a student's own network is no fault of the lecture.
    const told = navigator.onLine && (problem.fatal || !/^buffer(Stalled|Nudge|SeekOver)/.test(problem.details));
    // What is loaded plays on while it is tried again: only a play that ended is lost.
    if (told) this.emit("failed", { code: problem.details, status, fatal: problem.fatal && this.#aheadOf() < 1 });
    if (REFUSED.has(status)) return void this.#renewAfterRefusal(problem.fatal);
    if (problem.fatal) this.#broke(problem);
  }

  async #renewAfterRefusal(fatal) {
    if (fatal) this.#failures += 1;
    if (this.#failures > 2) return this.#retry();
    await this.#renew();
    if (!this.#closed) this.#hls.startLoad();
  }

  #broke(problem) {
    if (problem.type === this.#Hls.ErrorTypes.MEDIA_ERROR && this.#failures < 2) {
      this.#failures += 1;
      return this.#hls.recoverMediaError();
    }
    this.#retry();
  }

  /** The server says no: that is told. It says nothing: tried again. */
  #refused(error) {
    if (this.#closed) return;
    if (!(error.status >= 400 && error.status < 500)) return this.#retry();
    this.#attach();
    this.emit("trouble", { text: error.message });
  }

  #retry() {
    if (this.#closed) return;
    this.#failures += 1;
    const wait_ms = Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** Math.min(8, this.#failures));
    if (this.#aheadOf() < 1) this.emit("trouble", { text: navigator.onLine ? "The video does not come through. Trying again …" : "Waiting for the network …" });
    clearTimeout(this.#retry_timer);
    this.#retry_timer = setTimeout(() => this.#resume(), wait_ms);
  }

  /**
   * What is known may be of a download that has been deleted since, or of the server while the lecture has come to
   * this device: it would fail for as long as it is known. Without an answer it is tried all the same.
   */
  async #loadAnew() {
    clearTimeout(this.#retry_timer);
    await this.#addresses.renew().catch(() => {});
    if (!this.#closed) await this.load();
  }

  /** Goes on loading where the buffer ends: what is loaded plays on. A downloaded lecture has other addresses off line. */
  async #resume() {
    if (!this.#hls?.levels.length) return this.#loadAnew();
    const answer = await this.#addresses.renew().catch(() => null);
    if (this.#closed) return;
    if (answer) this.emit("addresses", { answer });
    if (!answer || (await this.#adopt(answer).catch(() => true))) return this.#hls.startLoad();
    this.#use(answer);
  }

  #well() {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.emit("trouble", { text: null });
  }

  #levelOf(name) {
    const rungs = this.#hls.levels.map((level, index) => ({ name: nameOf(level), index }));
    return nearest(rungs, name)?.index ?? -1;
  }
}

function nameOf(level) {
  return nameIn(level?.uri ?? level?.url?.[0] ?? "") || `${level?.height ?? 0}p`;
}
