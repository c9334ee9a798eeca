// What a reader is told between the cases: whose study it is, how long it takes, whom to ask, and the steps that lie ahead.

import { make } from "../shared/dom.js";
/** @import { AboutStudy, StudyPlace } from "../types" */

const counted = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;

// "Consent", "Training" and "Cases" as they are of this study.
/** @param {AboutStudy} about */
function stepsOf({ training, cases }) {
  return [{ stage: "consent", text: "Consent" }, ...(training ? [{ stage: "training", text: `Training, ${counted(training, "reading")}` }] : []), { stage: "cases", text: `Cases, ${counted(cases, "reading")}` }];
}

// The list of steps, the one at hand marked.
/** @param {HTMLElement} list @param {AboutStudy | undefined} about @param {string} stage */
export function showSteps(list, about, stage) {
  list.hidden = !about;
  if (!about) return;
  const steps = stepsOf(about), at = steps.findIndex((step) => step.stage === stage);
  list.replaceChildren(...steps.map(({ text }, i) => {
    const item = make("li", i < at ? "past" : "", text);
    if (i === at) item.setAttribute("aria-current", "step");
    return item;
  }));
}

// By whom it is, how long it takes and whom to ask, in one line each.
/** @param {AboutStudy} about */
export function studyFacts({ by, contact, minutes }) {
  return [by && `By ${by}`, minutes && `It takes about ${counted(minutes, "minute")}; you may stop and go on at any time.`, contact && `Questions: ${contact}`].filter(Boolean);
}

// The card before the training and the one after it.
/** @param {StudyPlace} place */
export function cardBefore({ title, about, slot }) {
  if (slot.training) {
    const told = about.feedback ? " After each one you see the reference standard." : "";
    return { stage: "training", title, text: `First come ${counted(about.training, "reading")} to learn how it goes. They do not count.${told}` };
  }
  return { stage: "cases", title, text: `The training is over. ${counted(about.cases, "reading")} follow, and they count.` };
}
