/** Owns hls.js: when it is loaded, and how it is set up. */

const HLS_JS = "/vendor/hls.js/hls.mjs";

/** Buffered ahead when the network allows: a lift ride, not a flight. */
const AHEAD_S = 180;

/** ... and where every byte is paid for: enough to begin, then enough to go on. */
const SPARE_S = { resting: 12, playing: 40 };

/**
 * What playlist requests tell of the play (CTA-5004). The bytes are asked for without: their addresses are of
 * another origin, where each would be asked twice, and a bucket may refuse.
 */
const CMCD_KEYS = ["sid", "cid", "sf", "st", "ot", "su", "bs", "bl", "br", "mtp", "pr", "tb"];

/** The same, for a playlist that is asked for beside the engine: `bandwidth` in bits/s, `ahead_s` loaded. */
export function playlistHeaders({ bandwidth = 0, ahead_s = null, starting = false }) {
  const hundreds = (value) => Math.round(value / 100) * 100;
  const request = [
    ahead_s === null ? null : `bl=${hundreds(ahead_s * 1000)}`,
    bandwidth ? `mtp=${hundreds(bandwidth / 1000)}` : null,
    starting ? "su" : null,
  ].filter(Boolean);
  return { "CMCD-Object": "ot=m", ...(request.length ? { "CMCD-Request": request.join(",") } : {}) };
}

let loading = null;

/** hls.js, or null where the browser has no MediaSource for it. Loaded once; a failed load is tried again. */
export function loadEngine() {
  if (!window.MediaSource && !window.ManagedMediaSource) return Promise.resolve(null);
  loading ??= import(HLS_JS).then(
    ({ default: Hls }) => (Hls.isSupported() ? Hls : null),
    (error) => {
      loading = null;
      throw error;
    },
  );
  return loading;
}

/**
 * Settings of one play. `route(xhr, url, context)` may open a request at another address; `bandwidth` in bits/s is
 * what the network gave last time, 0 if nobody knows.
 */
export function engineSettings({ item, play, bandwidth, saves, route }) {
  return {
    // The place to begin at is known only when the first playlist is there: see Media.
    autoStartLoad: false,
    startFragPrefetch: true,
    testBandwidth: false,
    ...(bandwidth ? { abrEwmaDefaultEstimate: bandwidth } : {}),
    capLevelToPlayerSize: true,
    maxBufferLength: saves ? SPARE_S.resting : AHEAD_S,
    maxMaxBufferLength: saves ? SPARE_S.playing : AHEAD_S,
    maxBufferSize: saves ? 0 : 60_000_000,
    backBufferLength: saves ? SPARE_S.playing : AHEAD_S,
    // fMP4 passes through as it is: a worker would only copy it.
    enableWorker: false,
    lowLatencyMode: false,
    enableInterstitialPlayback: false,
    enableID3MetadataCues: false,
    enableEmsgMetadataCues: false,
    cmcd: { sessionId: play, contentId: item, useHeaders: true, includeKeys: CMCD_KEYS },
    xhrSetup: route,
  };
}

/** How far ahead to load now, in s, where every byte is paid for. */
export function spare_s(playing) {
  return playing ? SPARE_S.playing : SPARE_S.resting;
}
