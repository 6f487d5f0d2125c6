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

/** What became of a run, in a few words, and how it is drawn. */
const VERDICTS = {
  head: { drawn: "won", words: "has the playhead" },
  lost: { drawn: "lost", words: "began earlier" },
  stood_back: { drawn: "lost", words: "stood back" },
  played_on: { drawn: "lost", words: "played on as time" },
  succeeded: { drawn: "known", words: "went before" },
  before_reset: { drawn: "known", words: "before the fresh start" },
  not_real: { drawn: "quiet", words: "too short to count" },
  peek: { drawn: "quiet", words: "only looked" },
  automatic: { drawn: "quiet", words: "started by itself" },
};

/** A sentence without the rule ids in it: they stand beside it. */
export function plain(sentence) {
  return String(sentence ?? "").replace(/ \(R\d+\)/g, "");
}

/**
 * @param {object} explained  `GET /v1/progress/{item}/explain`
 * @param {(name: string) => string} kindOf  the kind of a device by its name
 */
export function whyView(explained, kindOf) {
  const { position_ms, duration_ms, sentence, rule } = explained;
  const candidate = explained.candidate ?? null;
  const runs = (explained.runs ?? []).map((run) => drawnRun(run, candidate, kindOf));
  return h(
    "div",
    { class: "why__body" },
    h("p", { class: "why__sentence", data: { testid: "why-sentence" } }, plain(sentence)),
    lectureMap({ duration_ms, position_ms, coverage: explained.coverage ?? [], candidate }),
    runs.length ? runLanes(runs, duration_ms) : null,
    rule ? h("p", { class: "why__rule" }, h("b", {}, rule), ` ${ruleWords(rule)}.`) : null,
  );
}

function drawnRun(run, candidate, kindOf) {
  const offered = candidate && run.verdict !== "head" && candidate.position_ms === run.position_ms;
  const { drawn, words } = VERDICTS[run.verdict] ?? { drawn: "quiet", words: run.verdict };
  return {
    ...run,
    sentence: plain(run.sentence),
    device_kind: run.device_kind ?? kindOf(run.device_name),
    outcome: offered ? "offered" : drawn,
    words: offered ? `${words}, kept on offer` : words,
  };
}
