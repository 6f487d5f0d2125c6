/** Owns what the system shows of a lecture and its keys do: lock screen, headphones, the keyboard's media keys. */

/** The system's own step where it names none. */
const STEP_S = 10;

/** The system runs its own clock: it is told the place this often, and at each change. */
const EVERY_MS = 5_000;

/**
 * @param {{player: any, video: HTMLVideoElement, press: {toggle: () => void}, title: string, next: () => (() => void) | null}} of
 * @returns {{describe: (course: {title: string, instructor?: string}, poster_url?: string) => void, update: () => void, close: () => void}}
 */
export function mediaSession({ player, video, press, title, next }) {
  const { mediaSession: session } = navigator;
  if (!session) return { describe: () => {}, update: () => {}, close: () => {} };
  const by = (direction) => ({ seekOffset }) => player.seek(player.position_ms + direction * (seekOffset || STEP_S) * 1000);
  const actions = {
    play: () => player.active || press.toggle(),
    pause: () => player.pause(),
    stop: () => player.pause(),
    seekbackward: by(-1),
    seekforward: by(1),
    seekto: ({ seekTime }) => player.seek(seekTime * 1000),
    nexttrack: () => next()?.(),
  };
  for (const [name, act] of Object.entries(actions)) handle(session, name, act);
  const describe = (course, poster_url) => {
    const artwork = poster_url ? [{ src: poster_url }] : [];
    session.metadata = new MediaMetadata({ title, artist: course.instructor ?? "", album: course.title, artwork });
  };
  const update = () => {
    session.playbackState = player.active ? "playing" : "paused";
    tellPlace(session, player, video);
  };
  const off = player.on("change", update);
  const timer = setInterval(update, EVERY_MS);
  const close = () => {
    off();
    clearInterval(timer);
    for (const name of Object.keys(actions)) handle(session, name, null);
    session.metadata = null;
    session.playbackState = "none";
  };
  return { describe, update, close };
}

/** Browsers know different actions and throw at the others. */
function handle(session, name, act) {
  try {
    session.setActionHandler(name, act);
  } catch {
    // This one has no such key.
  }
}

function tellPlace(session, player, video) {
  const duration = player.duration_ms / 1000;
  if (!session.setPositionState || !(duration > 0)) return;
  session.setPositionState({ duration, position: Math.min(duration, player.position_ms / 1000), playbackRate: video.playbackRate || 1 });
}
