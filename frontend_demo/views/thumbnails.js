/** Owns the small picture over the line of time: what is seen at a moment. Nothing is loaded before it is wanted. */

import { h } from "./element.js";
import { thumbnailAt, thumbnailsOf } from "./sprite.js";

/** Width of the picture, px; the style sheet's --thumb-width says the same. */
const WIDTH = 160;

/** A picture that failed is asked for again after this, not at every move of the pointer. */
const AGAIN_MS = 5_000;

/** @returns {{element: HTMLElement, use: (sprite: {image_url: string, vtt_url: string} | null) => void, show: (at_ms: number) => void}} */
export function thumbnails() {
  const element = h("span", { class: "seek__thumb", hidden: true, data: { testid: "thumbnail" } });
  let sprite = null;
  let loading = null;
  let sheet = null;
  let wanted_ms = null;
  const draw = () => {
    const cue = sheet && wanted_ms !== null ? thumbnailAt(sheet.cues, wanted_ms) : null;
    element.hidden = !cue;
    if (cue) paint(element, cue, sheet);
  };
  const failed = () => void setTimeout(() => (loading = null), AGAIN_MS);
  const show = (at_ms) => {
    wanted_ms = at_ms;
    loading ??= sprite && load(sprite).then((loaded) => ((sheet = loaded), draw()), failed);
    draw();
  };
  const use = (given) => {
    if (sheet || !given) return;
    [sprite, loading] = [given, null];
  };
  return { element, use, show };
}

async function load({ image_url, vtt_url }) {
  const image = new Image();
  image.src = image_url;
  const [response] = await Promise.all([fetch(vtt_url), image.decode()]);
  if (!response.ok) throw new Error(`${response.status}`);
  return { cues: thumbnailsOf(await response.text()), image };
}

function paint(element, { from_ms, x, y, width, height }, { image }) {
  const scale = WIDTH / width;
  const px = (value) => `${(value * scale).toFixed(2)}px`;
  Object.assign(element.style, {
    height: px(height),
    backgroundImage: `url("${image.src}")`,
    backgroundPosition: `-${px(x)} -${px(y)}`,
    backgroundSize: `${px(image.naturalWidth)} ${px(image.naturalHeight)}`,
  });
  element.dataset.ms = String(from_ms);
}
