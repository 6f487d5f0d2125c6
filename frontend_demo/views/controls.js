/** Owns the bar under the picture: play, places, sound, captions, speed, quality, windows, and the keys for them. */

import { control, draw } from "./control.js";
import { h, say, show } from "./element.js";
import { clock } from "./format.js";
import { like, liking } from "./liking.js";
import { menu } from "./menu.js";
import { seekBar } from "./seek_bar.js";
import { SPEEDS, shortcutFor, stepSpeed } from "./shortcuts.js";
import { shortcutsDialog } from "./shortcuts_dialog.js";
import { soundControl } from "./sound.js";
import { fullscreenControl, pipControl } from "./window_modes.js";

const SKIP_MS = 10_000;

/**
 * @returns {{element: HTMLElement, update: () => void, keys: (key: string) => boolean, close: () => void,
 *            skip: (ms: number) => void, fullscreenOf: (e: HTMLElement) => void, useSprite: (s: object | null) => void}}
 */
export function controls({ video, player, item, press, media, captions, seen }) {
  const skip = (ms) => player.seek(player.position_ms + ms);
  const play = control("play", "Play", press.toggle, { testid: "play" });
  const back = control("undo", "Back 10 seconds", () => skip(-SKIP_MS));
  back.classList.add("control--back");
  const sound = soundControl(video);
  const position = h("span", { class: "controls__position", data: { testid: "position" } });
  const total = h("span", { class: "controls__total" });
  const [caption, speed, quality] = [captionsMenu(captions), speedMenu(video), qualityMenu(media)];
  const [pip, full] = [pipControl(video), fullscreenControl(video)];
  const help = control("keyboard", "Keys", shortcutsDialog, { testid: "help" });
  help.classList.add("control--help");
  const bar = seekBar({ video, player, duration_ms: item.duration_ms, seen });
  const menus = [caption, speed, quality];
  const element = h(
    "div",
    { class: "controls" },
    bar.element,
    h(
      "div",
      { class: "controls__row" },
      play, back, sound.element,
      h("span", { class: "controls__time" }, position, h("span", { "aria-hidden": "true" }, "/"), total),
      h("span", { class: "controls__space" }),
      menus.map((each) => each.button), help, pip.element, full.element,
    ),
    menus.map((each) => each.element),
  );
  const update = () => {
    draw(play, player.active ? "pause" : "play", player.active ? "Pause" : "Play");
    say(position, clock(player.position_ms));
    position.dataset.ms = String(player.position_ms);
    say(total, clock(player.duration_ms || item.duration_ms));
    bar.update();
  };
  const acts = actsOf({ video, player, press, media, captions, sound, speed, full, pip, skip });
  const close = () => menus.forEach((each) => (each.close(), each.off()));
  return { element, update, keys: (key) => obey(key, acts), close, skip, fullscreenOf: full.of, useSprite: bar.useSprite };
}

function obey(key, acts) {
  const shortcut = shortcutFor(key);
  if (shortcut) acts[shortcut.act](shortcut.of);
  return shortcut !== null;
}

/** What the acts of shortcuts.js do here. */
function actsOf({ video, player, press, media, captions, sound, speed, full, pip, skip }) {
  return {
    toggle: press.toggle,
    skip,
    frame: (step) => player.active || skip((step * 1000) / media.frames_per_s),
    tenth: (digit) => player.seek((player.duration_ms * digit) / 10),
    speed: (step) => speed.choose(stepSpeed(video.playbackRate, step)),
    louder: sound.louder,
    mute: sound.toggle,
    captions: () => captions.toggle(),
    fullscreen: full.toggle,
    pip: pip.toggle,
    help: shortcutsDialog,
  };
}

function speedMenu(video) {
  const choose = (speed) => {
    video.playbackRate = video.defaultPlaybackRate = speed;
    like({ speed });
  };
  const made = menu({
    label: "Speed",
    face: null,
    testid: "rate",
    choices: () => SPEEDS.map((speed) => ({ value: String(speed), words: speed === 1 ? "Normal" : `${speed}×` })),
    chosen: () => String(video.playbackRate),
    choose: (value) => choose(Number(value)),
  });
  const update = () => made.say(`${video.playbackRate}×`);
  video.addEventListener("ratechange", update);
  video.playbackRate = video.defaultPlaybackRate = liking().speed;
  update();
  return { ...made, choose, off: () => video.removeEventListener("ratechange", update) };
}

function qualityMenu(media) {
  const words = (name) => (name === "auto" ? "Auto" : name);
  const made = menu({
    label: "Quality",
    face: "sliders",
    testid: "quality",
    choices: () => [
      { value: "auto", words: "Auto", note: media.wanted === "auto" ? media.shown : "" },
      ...media.qualities.map((name) => ({ value: name, words: name })),
    ],
    chosen: () => (media.qualities.includes(media.wanted) ? media.wanted : "auto"),
    choose: (value) => media.choose(value),
  });
  made.button.classList.add("control--quality");
  const update = () => {
    show(made.button, media.qualities.length > 1);
    made.say(words(media.qualities.includes(media.wanted) ? media.wanted : "auto"));
  };
  const offs = ["qualities", "quality"].map((name) => media.on(name, update));
  update();
  return { ...made, off: () => offs.forEach((off) => off()) };
}

function captionsMenu(captions) {
  const made = menu({
    label: "Captions",
    face: "captions",
    testid: "captions",
    choices: () => [{ value: "", words: "Off" }, ...captions.choices.map(({ language, label }) => ({ value: language, words: label }))],
    chosen: () => captions.shown,
    choose: (language) => captions.choose(language),
  });
  made.button.classList.add("control--captions");
  const update = () => {
    show(made.button, captions.choices.length > 0);
    made.button.classList.toggle("is-on", captions.shown !== "");
    made.button.setAttribute("aria-label", `Captions: ${captions.choices.find(({ language }) => language === captions.shown)?.label ?? "off"}`);
  };
  const off = captions.on("change", update);
  update();
  return { ...made, off };
}
