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

const KINDS = { phone: /phone/i, tablet: /tablet|pad/i, tv: /\btv\b|television/i, desktop: /computer|desktop/i };

/** A sentence without the rule ids in it: they stand beside it. */
export function plain(sentence) {
  return String(sentence ?? "").replace(/ \(R\d+\)/g, "");
}

/** @param {object} explained  `GET /v1/progress/{item}/explain` of a moment in the past */
export function whyView(explained) {
  return h("div", { class: "why__body", data: { testid: "why-body" } }, bodyOf(explained, () => true));
}

/**
 * The present: the sentence, what was seen, what is on offer, and who met whom if there was a contest.
 * @param {object} explained  `GET /v1/progress/{item}/explain`
 */
export function nowView(explained) {
  const met = (explained.runs ?? []).some((run) => CONTEST.has(run.verdict));
  const shown = (run) => met && (run.verdict === "head" || CONTEST.has(run.verdict));
  // The sentence above the picture has said why the head's run counts.
  const runs = (explained.runs ?? []).map((run) => (run.verdict === "head" ? { ...run, sentence: "" } : run));
  return h("div", { class: "why__body", data: { testid: "now" } }, bodyOf({ ...explained, runs }, shown));
}

/** What a run became that met another one (R3, R10). */
const CONTEST = new Set(["lost", "stood_back"]);

/** So many runs are drawn: the head's comes first, then the latest. */
const LANES = 4;

function bodyOf(explained, shown) {
  const { position_ms, duration_ms, sentence, rule } = explained;
  const candidate = explained.candidate ?? null;
  const runs = (explained.runs ?? []).filter(shown).slice(0, LANES).map((run) => drawnRun(run, candidate));
  return [
    h("p", { class: "why__sentence", data: { testid: "why-sentence" } }, plain(sentence)),
    lectureMap({ duration_ms, position_ms, coverage: explained.coverage ?? [], candidate }),
    runs.length ? runLanes(runs, duration_ms) : null,
    rule ? h("p", { class: "why__rule" }, h("b", {}, rule), ` ${ruleWords(rule)}.`) : null,
  ];
}

function drawnRun(run, candidate) {
  const offered = candidate && run.verdict !== "head" && candidate.position_ms === run.position_ms;
  const { drawn, words } = VERDICTS[run.verdict] ?? { drawn: "quiet", words: run.verdict };
  return {
    ...run,
    sentence: plain(run.sentence),
    device_kind: run.device_kind || kindOf(run.device_name),
    outcome: offered ? "offered" : drawn,
    words: offered ? `${words}, kept on offer` : words,
  };
}

/** The kind of a device by what people call it. */
export function kindOf(name) {
  const found = Object.entries(KINDS).find(([, pattern]) => pattern.test(name ?? ""));
  return found?.[0] ?? "laptop";
}
