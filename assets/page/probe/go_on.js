// The button that goes on from an answer: to a map that is held back, past a doubt, or back from a problem.

const WAYS = {
  held: ["Show the map anyway", "A map has a highest place whether or not something is there"],
  low: ["Show the map anyway", "Paint the map from a lower value on"],
  doubt: ["Go on anyway", "Ask the model all the same; what it says of such an image may mean nothing"],
  problem: ["Back to the answer", "What was asked before still stands"],
};

/** @param {HTMLButtonElement} button */
export function createGoOn(button) {
  return {
    // `from`: one of WAYS, or "" where there is no way on. `nowhere`: there is nothing to go back to.
    offer(from, insisted, nowhere) {
      [button.textContent, button.title] = WAYS[from] ?? WAYS.held;
      button.setAttribute("aria-pressed", String((from === "held" || from === "low") && insisted));
      button.disabled = !(from in WAYS) || nowhere;
    },
  };
}
