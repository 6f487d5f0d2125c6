/** Owns the answer to "why": the runs that met, who has the playhead by which rule, and what is on offer. */

import { h } from "./element.js";
import { lectureMap, runLanes } from "./lecture_map.js";

/** The rules as a student would say them; the server's sentence says the rest. */
const RULES = {
  R1: "Only real play or a move of yours counts",
  R2: "It went on from what was known",
  R3: "Two devices at the same time: the later action counts",
  R4: "The other place is kept; a change can be undone",
  R5: "Time watched is never a contest",
  R6: "Each device's own order counts",
  R7: "Done, and starting afresh",
  R8: "Saved means saved",
  R9: "The lecture changed; places moved with it",
  R10: "One device has the playhead",
};

/** What a rule says, in a few words. */
export function ruleWords(rule) {
  return RULES[rule] ?? "";
}

/**
 * @param {object} explained  `GET /v1/progress/{item}/explain`
 * @param {(name: string) => string} kindOf  the kind of a device by its name
 */
export function whyView(explained, kindOf) {
  const { position_ms, duration_ms, sentence, rule } = explained;
  const candidate = explained.candidate ?? null;
  const runs = (explained.runs ?? []).map((run) => ({ ...run, device_kind: run.device_kind ?? kindOf(run.device_name), outcome: outcome(run.verdict) }));
  return h(
    "div",
    { class: "why__body" },
    h("p", { class: "why__sentence", data: { testid: "why-sentence" } }, sentence),
    lectureMap({ duration_ms, position_ms, coverage: explained.coverage ?? [], candidate }),
    runs.length ? runLanes(runs, duration_ms) : null,
    rule ? h("p", { class: "why__rule" }, h("b", {}, rule), ` ${ruleWords(rule)}.`) : null,
  );
}

/** The server's verdict on a run as one of the four ways it is drawn. */
function outcome(verdict) {
  const text = String(verdict ?? "");
  if (/head|won|wins|winner|holds/i.test(text)) return "won";
  if (/offer|candidate|kept/i.test(text)) return "offered";
  if (/succeed|known|before|earlier|former|past/i.test(text)) return "known";
  return "lost";
}
