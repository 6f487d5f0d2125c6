/** Owns how elements are made: no template strings, so nothing a server says can become markup. */

/**
 * An element. `attributes`: `class`, `on` (listeners by name), `data` (dataset), DOM properties that have no
 * attribute (`value`, `muted`, `checked`), and plain attributes; null, undefined and false leave one out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | false)} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
  } else if (name === "data") {
    Object.assign(element.dataset, value);
  } else if (name === "value" || name === "muted" || name === "checked") {
    element[name] = value;
  } else {
    element.setAttribute(name, value === true ? "" : value);
  }
}

/** Sets the text only if it is another one: screen readers and layout are left in peace. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows or hides. */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

const ICONS = {
  play: "M8 5.5v13l11-6.5z",
  pause: "M7.5 5.5h3v13h-3zM13.5 5.5h3v13h-3z",
  replay: "M12 5.5V2.8L7.5 6.6l4.5 3.8V7.5a5.5 5.5 0 1 1-5.5 5.5h-2A7.5 7.5 0 1 0 12 5.5z",
  check: "M9.6 16.9 4.9 12.2l1.5-1.5 3.2 3.2 8-8 1.5 1.5z",
  back: "M14.7 5.3 16.1 6.7 10.8 12l5.3 5.3-1.4 1.4L8 12z",
  chevron: "M9.3 5.3 7.9 6.7 13.2 12l-5.3 5.3 1.4 1.4L16 12z",
  phone: "M8 2.5h8A1.5 1.5 0 0 1 17.5 4v16a1.5 1.5 0 0 1-1.5 1.5H8A1.5 1.5 0 0 1 6.5 20V4A1.5 1.5 0 0 1 8 2.5zm.3 2v12.8h7.4V4.5zM11 18.6v1.2h2v-1.2z",
  tablet: "M6 2.5h12A1.5 1.5 0 0 1 19.5 4v16a1.5 1.5 0 0 1-1.5 1.5H6A1.5 1.5 0 0 1 4.5 20V4A1.5 1.5 0 0 1 6 2.5zm.3 1.8v13.5h11.4V4.3zM11 19v1.2h2V19z",
  laptop: "M5.5 4.5h13A1.5 1.5 0 0 1 20 6v9.5H4V6a1.5 1.5 0 0 1 1.5-1.5zM5.8 6.3v7.4h12.4V6.3zM2 17h20v.8a1.7 1.7 0 0 1-1.7 1.7H3.7A1.7 1.7 0 0 1 2 17.8z",
  desktop: "M4 4h16a1.5 1.5 0 0 1 1.5 1.5v10A1.5 1.5 0 0 1 20 17h-6v2h2.5v1.5h-9V19H10v-2H4a1.5 1.5 0 0 1-1.5-1.5v-10A1.5 1.5 0 0 1 4 4zm.3 1.8v9.4h15.4V5.8z",
  tv: "M3.5 4.5h17A1.5 1.5 0 0 1 22 6v10.5a1.5 1.5 0 0 1-1.5 1.5h-17A1.5 1.5 0 0 1 2 16.5V6a1.5 1.5 0 0 1 1.5-1.5zm.3 1.8v9.9h16.4V6.3zM7 19.3h10v1.4H7z",
  sound: "M4 9.5v5h3.3l4.7 4v-13l-4.7 4zM14.5 8.2v1.9a2.3 2.3 0 0 1 0 3.8v1.9a4.1 4.1 0 0 0 0-7.6zm0-3.6v1.9a5.8 5.8 0 0 1 0 11v1.9a7.6 7.6 0 0 0 0-14.8z",
  muted: "M4 9.5v5h3.3l4.7 4v-13l-4.7 4zm16.6.1-1.2-1.2-2.4 2.4-2.4-2.4-1.2 1.2 2.4 2.4-2.4 2.4 1.2 1.2 2.4-2.4 2.4 2.4 1.2-1.2-2.4-2.4z",
  fullscreen: "M4.5 4.5h6v1.8H6.3v4.2H4.5zm9 0h6v6h-1.8V6.3h-4.2zm-9 9h1.8v4.2h4.2v1.8h-6zm13.2 0h1.8v6h-6v-1.8h4.2z",
  window: "M9 4.5h1.8v6.3H4.5V9H9zm4.2 0H15V9h4.5v1.8h-6.3zm-8.7 8.7h6.3v6.3H9V15H4.5zm8.7 0h6.3V15H15v4.5h-1.8z",
  captions: "M5 4.5h14A2.5 2.5 0 0 1 21.5 7v10a2.5 2.5 0 0 1-2.5 2.5H5A2.5 2.5 0 0 1 2.5 17V7A2.5 2.5 0 0 1 5 4.5zm0 1.8a.7.7 0 0 0-.7.7v10c0 .4.3.7.7.7h14c.4 0 .7-.3.7-.7V7a.7.7 0 0 0-.7-.7zM9.2 9c1 0 1.9.4 2.4 1.1l-1.3 1a1.3 1.3 0 0 0-1.1-.5 1.4 1.4 0 0 0 0 2.8c.5 0 .8-.2 1.1-.5l1.3 1A3 3 0 1 1 9.2 9zm6.4 0c1 0 1.9.4 2.4 1.1l-1.3 1a1.3 1.3 0 0 0-1.1-.5 1.4 1.4 0 0 0 0 2.8c.5 0 .8-.2 1.1-.5l1.3 1A3 3 0 1 1 15.6 9z",
  sliders: "M4 6.1h8.2a2.6 2.6 0 0 1 5 0H20v1.8h-2.8a2.6 2.6 0 0 1-5 0H4zm10.7-.1a1 1 0 1 0 0 2 1 1 0 0 0 0-2zM4 15.1h2.8a2.6 2.6 0 0 1 5 0H20v1.8h-8.2a2.6 2.6 0 0 1-5 0H4zm5.3-.1a1 1 0 1 0 0 2 1 1 0 0 0 0-2z",
  pip: "M4.5 5h15A1.5 1.5 0 0 1 21 6.5v4h-1.8V6.8H4.8v10.4H10V19H4.5A1.5 1.5 0 0 1 3 17.5v-11A1.5 1.5 0 0 1 4.5 5zm8 7.5h8a.5.5 0 0 1 .5.5v5.5a.5.5 0 0 1-.5.5h-8a.5.5 0 0 1-.5-.5V13a.5.5 0 0 1 .5-.5z",
  keyboard: "M4 6h16A1.5 1.5 0 0 1 21.5 7.5v9A1.5 1.5 0 0 1 20 18H4a1.5 1.5 0 0 1-1.5-1.5v-9A1.5 1.5 0 0 1 4 6zm.3 1.8v8.4h15.4V7.8zM6 9.4h1.8v1.8H6zm3.4 0h1.8v1.8H9.4zm3.4 0h1.8v1.8h-1.8zm3.4 0H18v1.8h-1.8zM8.5 13h7v1.8h-7z",
  pdf: "M6 2.5h8l4.5 4.5v14.5H6zm7.3 1.8H7.8v15.4h8.9V7.7h-3.4zM9.5 11h5v1.5h-5zm0 3.5h5V16h-5z",
  quiz: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zm0 1.8a7.2 7.2 0 1 0 0 14.4 7.2 7.2 0 0 0 0-14.4zm-.9 10.6h1.8v1.8h-1.8zM12 7a3.2 3.2 0 0 1 3.2 3.2c0 1.9-2.3 2.2-2.3 4h-1.8c0-2.7 2.3-2.7 2.3-4a1.4 1.4 0 0 0-2.8 0H8.8A3.2 3.2 0 0 1 12 7z",
  undo: "M9 4.5 3.5 9.3 9 14v-3.7h4.8a3 3 0 0 1 0 6H8v2h5.8a5 5 0 0 0 0-10H9z",
  history: "M12.5 4a8 8 0 1 1-7.9 9.3l1.8-.3a6.2 6.2 0 1 0 1.3-5.1l2.2 2.3H3.8V4l2.6 2.6A8 8 0 0 1 12.5 4zm-.9 3.6h1.8v4.3l3.1 1.9-.9 1.5-4-2.4z",
  link: "M10.6 13.4a1 1 0 0 1 0-1.4l3-3a1 1 0 0 1 1.4 1.4l-3 3a1 1 0 0 1-1.4 0zM8.5 11 6.4 13.1a3.2 3.2 0 0 0 4.5 4.5L13 15.5l1.3 1.3-2.1 2.1a5 5 0 0 1-7.1-7.1L7.2 9.7zm7 2 2.1-2.1a3.2 3.2 0 0 0-4.5-4.5L11 8.5 9.7 7.2l2.1-2.1a5 5 0 0 1 7.1 7.1l-2.1 2.1z",
  cut: "m4.3 3 16.7 16.7-1.3 1.3L3 4.3zM12 5.5c3.4 0 6.5 1.4 8.7 3.6l-1.3 1.3A10.4 10.4 0 0 0 12 7.3l-.8.1-1.7-1.7c.8-.1 1.6-.2 2.5-.2zM7 6.6l1.4 1.4c-1.4.5-2.7 1.3-3.8 2.4L3.3 9.1A12.3 12.3 0 0 1 7 6.6zm3.9 3.9 2 2-.9-.1c-1.5 0-2.9.6-3.9 1.6l-1.3-1.3a7.3 7.3 0 0 1 4.1-2.2zM12 15.7a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6z",
  video: "M8 5.5v13l11-6.5z",
  text: "M5 5.5h14v1.8H5zm0 4h14v1.8H5zm0 4h14v1.8H5zm0 4h8.5v1.8H5z",
  assignment: "M15.9 3.6 20.4 8 9 19.4l-5.4 1 1-5.4zm0 2.5-1.6 1.6 2 2 1.6-1.7zm-2.8 2.8L6.3 15.8l-.5 2.4 2.4-.5 6.9-6.8z",
  unknown: "M4.5 4.5h15v15h-15zm1.8 1.8v11.4h11.4V6.3zM8 11h2v2H8zm3 0h2v2h-2zm3 0h2v2h-2z",
  home: "M12 3.6 20.5 10.8 19.3 12.2 18.5 11.5V20H5.5v-8.5l-.8.7-1.2-1.4zm0 2.4-4.7 4v8.2h3v-4.7h3.4v4.7h3V10z",
  search: "M10.5 3.8a6.7 6.7 0 0 1 5.3 10.8l4.6 4.6-1.3 1.3-4.6-4.6a6.7 6.7 0 1 1-4-12.1zm0 1.8a4.9 4.9 0 1 0 0 9.8 4.9 4.9 0 0 0 0-9.8z",
  download: "M11.1 3.8h1.8v8.6l3-3 1.3 1.3-5.2 5.2-5.2-5.2 1.3-1.3 3 3zM4.5 18.4h15v1.8h-15z",
  upload: "m12 3.8 5.2 5.2-1.3 1.3-3-3v8.6h-1.8V7.3l-3 3L6.8 9zM4.5 18.4h15v1.8h-15z",
  teach: "M12 4.2 22 9.3l-3.3 1.7v5.1c-1.7 1.7-4 2.7-6.7 2.7s-5-1-6.7-2.7V11L3.8 10.2V16H2V9.3zm0 2L5.9 9.3l6.1 3.1 6.1-3.1zM7.1 11.9v3.4a7.6 7.6 0 0 0 4.9 1.7c1.9 0 3.6-.6 4.9-1.7v-3.4L12 14.4z",
  plus: "M11.1 5h1.8v6.1H19v1.8h-6.1V19h-1.8v-6.1H5v-1.8h6.1z",
  up: "m12 8 6 6-1.4 1.4-4.6-4.7-4.6 4.7L6 14z",
  down: "m12 16-6-6 1.4-1.4 4.6 4.7 4.6-4.7L18 10z",
  remove: "M9.5 3.8h5v1.7h4.7v1.8H4.8V5.5h4.7zM6.3 8.5h1.8v9.9h7.8V8.5h1.8v11.7H6.3zm4 1.7H12v6.5h-1.7zm2.8 0h1.6v6.5h-1.6z",
  close: "m6.4 5.1 5.6 5.6 5.6-5.6 1.3 1.3-5.6 5.6 5.6 5.6-1.3 1.3-5.6-5.6-5.6 5.6-1.3-1.3 5.6-5.6-5.6-5.6z",
  filter: "M4 6.1h16v1.8H4zm3 5h10v1.8H7zm3 5h4v1.8h-4z",
  eye: "M12 5.5c4.3 0 7.6 2.6 9.5 6.5-1.9 3.9-5.2 6.5-9.5 6.5S4.4 15.9 2.5 12C4.4 8.1 7.7 5.5 12 5.5zm0 1.8c-3.2 0-5.8 1.7-7.5 4.7 1.7 3 4.3 4.7 7.5 4.7s5.8-1.7 7.5-4.7c-1.7-3-4.3-4.7-7.5-4.7zm0 1.8a2.9 2.9 0 1 1 0 5.8 2.9 2.9 0 0 1 0-5.8z",
};

/** An icon of 24 units, in the colour of the text; hidden from screen readers. */
export function icon(name, className = "") {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon ${className}`.trim());
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name] ?? ICONS.play);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

/** The icon of a kind of device. */
export function deviceIcon(kind, className) {
  return icon(["phone", "tablet", "laptop", "desktop", "tv"].includes(kind) ? kind : "laptop", className);
}

/** The icon of a kind of item; kinds this app does not know have one too. */
export function kindIcon(kind, className) {
  return icon(Object.hasOwn(ICONS, kind) ? kind : "unknown", className);
}
