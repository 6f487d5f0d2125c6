/** Owns that a player's page sees how well it plays: hears the element, the engine and the player, for Experience. */

import { Experience } from "./experience.js";

const TICK_MS = 1_000;

/**
 * @param {{video: HTMLVideoElement, player: any, media: import("./media.js").Media, client: any, api: any, play: string}} of
 * @returns {{pressed: () => void, experience: Experience, close: () => void}}
 */
export function observe({ video, player, media, client, api, play }) {
  const now = () => performance.now();
  const send = (events, how) => api.experience(events, how);
  const experience = new Experience({ item: player.item, version: player.version, play }, { send, now });
  let before = player.phase;
  const pressed = () => experience.pressed(media.ready) && whenFrame(video, (at_ms) => experience.firstFrame(at_ms));
  const offs = [
    player.on("change", () => {
      follow(experience, video, player.phase, before, pressed);
      before = player.phase;
    }),
    media.on("quality", ({ name, auto }) => experience.switched(name, auto)),
    media.on("failed", (problem) => experience.failed(problem)),
  ];
  // A page that may come back from the back/forward cache is not kept there with a request under way.
  const leave = ({ persisted = false } = {}) => {
    count(experience, video);
    if (persisted) experience.stops();
    else void experience.leave();
  };
  window.addEventListener("pagehide", leave);
  const timer = setInterval(() => {
    count(experience, video);
    void experience.tick(client.online);
  }, TICK_MS);
  const close = () => {
    clearInterval(timer);
    window.removeEventListener("pagehide", leave);
    offs.forEach((off) => off());
    leave();
  };
  return { pressed, experience, close };
}

/** A seek is no stall: whoever moves the place expects a moment. */
function follow(experience, video, phase, before, pressed) {
  if (phase === "playing") return experience.plays();
  if (phase === "stalled") return video.seeking ? experience.stops() : experience.stalls();
  // Also a media key and the small window's button press play.
  if (phase === "asking" || phase === "starting") return pressed();
  if (before === "asking" || before === "starting") experience.gaveUp();
  experience.stops();
}

/** The next frame of a picture that plays, in `performance.now()`'s time; one that is shown at rest is a seek's. */
function whenFrame(video, tell) {
  if (!video.requestVideoFrameCallback) return video.addEventListener("playing", () => tell(performance.now()), { once: true });
  const look = () => video.requestVideoFrameCallback((_, { expectedDisplayTime }) => (video.paused ? look() : tell(expectedDisplayTime)));
  look();
}

function count(experience, video) {
  const frames = video.getVideoPlaybackQuality?.();
  if (frames) experience.frames(frames.droppedVideoFrames, frames.totalVideoFrames);
}
