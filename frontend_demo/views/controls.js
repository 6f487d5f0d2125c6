/** Owns the bar under the picture: play, places, sound, speed, full screen, and the keys for them. */

import { h, icon, say } from "./element.js";
import { clock } from "./format.js";
import { seekBar } from "./seek_bar.js";

const RATES = [0.75, 1, 1.25, 1.5, 1.75, 2];
const STEP_MS = 10_000;
const KEY_STEP_MS = 5_000;
const VOLUME_STEP = 0.1;

/** @returns {{element: HTMLElement, update: () => void, keys: (key: string) => boolean, fullscreenOf: (e: HTMLElement) => void}} */
export function controls({ video, player, client, item, press }) {
  const play = button("play", "Play", press.toggle, { testid: "play" });
  const back = button("undo", "Back 10 seconds", () => player.seek(player.position_ms - STEP_MS));
  const sound = soundControl(video);
  const position = h("span", { class: "controls__position", data: { testid: "position" } });
  const total = h("span", { class: "controls__total" });
  const full = fullscreenControl(video);
  const bar = seekBar({ video, player, client, duration_ms: item.duration_ms });
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
      rateControl(video), full.element,
    ),
  );
  const update = () => {
    draw(play, player.active ? "pause" : "play", player.active ? "Pause" : "Play");
    say(position, clock(player.position_ms));
    position.dataset.ms = String(player.position_ms);
    say(total, clock(player.duration_ms || item.duration_ms));
    bar.update();
  };
  const keys = keyTable({ video, player, press, sound, full });
  return { element, update, keys, fullscreenOf: full.of };
}

/** Which key does what; true if it did something. */
function keyTable({ video, player, press, sound, full }) {
  const by = (ms) => () => player.seek(player.position_ms + ms);
  const louder = (step) => () => {
    video.volume = Math.min(1, Math.max(0, Math.round((video.volume + step) * 10) / 10));
    video.muted = video.volume === 0;
  };
  const table = {
    " ": press.toggle, k: press.toggle, f: full.toggle, m: sound.toggle,
    arrowleft: by(-KEY_STEP_MS), arrowright: by(KEY_STEP_MS), j: by(-STEP_MS), l: by(STEP_MS),
    arrowup: louder(VOLUME_STEP), arrowdown: louder(-VOLUME_STEP), home: () => player.seek(0),
  };
  return (key) => {
    table[key]?.();
    return key in table;
  };
}

function button(name, label, act, data = {}) {
  return h("button", { class: "control", type: "button", "aria-label": label, title: label, data, on: { click: act } }, icon(name));
}

/** Redraws a button only if it shows something else: the icon under a pressed pointer must stay. */
function draw(element, name, label) {
  if (element.getAttribute("aria-label") === label) return;
  element.replaceChildren(icon(name));
  element.setAttribute("aria-label", label);
  element.title = label;
}

function soundControl(video) {
  const toggle = () => {
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) video.volume = 0.5;
  };
  const mute = button("sound", "Mute", toggle, { testid: "mute" });
  const volume = h("input", { class: "volume", type: "range", min: "0", max: "1", step: "0.05", "aria-label": "Volume" });
  const element = h("span", { class: "controls__sound" }, mute, volume);
  const update = () => {
    const level = video.muted ? 0 : video.volume;
    draw(mute, level === 0 ? "muted" : "sound", level === 0 ? "Unmute" : "Mute");
    volume.value = String(level);
    volume.style.setProperty("--part", String(level));
  };
  volume.addEventListener("input", () => {
    video.volume = Number(volume.value);
    video.muted = video.volume === 0;
  });
  video.addEventListener("volumechange", update);
  update();
  return { element, toggle };
}

function rateControl(video) {
  const choices = RATES.map((rate) => h("option", { value: String(rate) }, `${rate}×`));
  const select = h("select", { class: "rate", "aria-label": "Speed", title: "Speed", data: { testid: "rate" } }, choices);
  select.value = "1";
  select.addEventListener("change", () => (video.playbackRate = video.defaultPlaybackRate = Number(select.value)));
  return select;
}

function fullscreenControl(video) {
  let stage = null;
  const toggle = () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (stage?.requestFullscreen) stage.requestFullscreen().catch(() => {});
    else video.webkitEnterFullscreen?.();
  };
  const element = button("fullscreen", "Full screen", toggle, { testid: "fullscreen" });
  const of = (given) => {
    stage = given;
    stage.addEventListener("fullscreenchange", () => {
      const on = document.fullscreenElement === stage;
      draw(element, on ? "window" : "fullscreen", on ? "Leave full screen" : "Full screen");
    });
  };
  return { element, toggle, of };
}
