/** Owns the field for a sign-in link that was not followed but copied. */

import { h } from "./element.js";

/** Opens the page again with the code of the link, and as the device that the link names. */
export function pasteLink() {
  const field = h("input", { class: "paste", type: "text", placeholder: "http://…/#sign-in=…", "aria-label": "Sign-in link", spellcheck: "false", autocomplete: "off" });
  const form = h("form", { class: "paste-form", data: { testid: "paste-link" } }, field, h("button", { class: "button", type: "submit" }, "Open"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [, device, code] = field.value.match(/(?:[?&]device=(\w+))?#sign-in=(\S+)/) ?? [];
    if (!code) return field.focus();
    const search = device ? `?device=${device}` : location.search;
    history.replaceState(null, "", `${location.pathname}${search}#sign-in=${code}`);
    location.reload();
  });
  return form;
}
