// What readers are told: consent, the end, by whom the study is and whom they can ask.

import { make } from "../shared/dom.js";
/** @import { StepContext } from "../types" */

/** @param {HTMLElement} form @param {StepContext} context */
export function buildAbout(form, { values, fields }) {
  const row = make("div", "row");
  row.append(
    fields.text("By whom", values, "by", { key: "by", longest: 300, hint: "The clinic or group that runs the study." }),
    fields.text("Contact", values, "contact", { key: "contact", longest: 300, hint: "Whom readers can ask: a name with an address or number." }),
    fields.number("Minutes", values, "minutes", { key: "minutes", most: 100_000, hint: "About how long it takes a reader; 0 says nothing." }),
  );
  form.append(
    row,
    fields.text("Consent", values, "consent", { key: "consent", lines: 9, longest: 20_000, hint: "Readers agree to it before their first case. Say what is kept and for how long, and that they may stop. Without a text nothing is asked." }),
    fields.text("At the end", values, "end", { key: "end", lines: 3, longest: 4000, hint: "What readers see after their last case." }),
  );
}
