// Answers as the server sends them, for tests of what is said of them.

export const GRID = [[0, 0, 0], [0, 0, 0], [0.9, 0, 0]];
export const ASSUMED = /** @type {any} */ ({ patient_right: "left", patient_front: null, view: null, eye: null, source: "assumed" });
export const PERFORMANCE = { n_present: 200, n_absent: 1000, sensitivity: 0.46, specificity: 0.92, sensitivity_ci95: [0.39, 0.53], specificity_ci95: [0.9, 0.94], ill: [1], healthy: [9], reliable: true };

export const statement = (more) => ({ status: "affirmed", finding: "x", name: "pleural effusion", side: null, zones: [], hedged: false, probability: 0.93, present: true, holds: true, ...more });

// A finding of one statement or of several.
export function answer(more = {}, ...others) {
  const main = statement(more.asked), { probability, present, holds, ...said } = main;
  return /** @type {any} */ ({
    text: "typed", score: 0.5, probability, present, operating_point: probability === null ? null : 0.22, holds, side: null, suggestions: [], performance: null, flagged: [],
    cautions: [], grid: GRID, ...more, asked: { ...said, statements: [main, ...others.map(statement)] },
  });
}

export const absent = (more = {}, asked = {}) => answer({ ...more, asked: { name: "pneumothorax", probability: 0.01, present: false, holds: false, ...asked } });
export const nothing = (status, more = {}, asked = {}) => answer({ ...more, asked: { status, name: null, probability: null, present: null, holds: null, ...asked } });
