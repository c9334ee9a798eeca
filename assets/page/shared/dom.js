// Elements made by script. Texts become text, never markup.

// An HTML element with a class and a text.
/** @template {keyof HTMLElementTagNameMap} Name @param {Name} name @returns {HTMLElementTagNameMap[Name]} */
export function make(name, className = "", text = "") {
  return Object.assign(document.createElement(name), { className, textContent: text });
}

// A button that submits no form.
export function button(className, text = "") {
  return Object.assign(make("button", className, text), { type: "button" });
}

// An SVG element, added to `parent` where one is given.
/** @template {keyof SVGElementTagNameMap} Name @param {Name} name @param {Record<string, string | number>} attributes @param {Element} [parent] @returns {SVGElementTagNameMap[Name]} */
export function svg(name, attributes, parent) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  parent?.append(made);
  return made;
}

// A number for a table: with a true minus sign, and a dash where there is none.
/** @type {(value: number | null | undefined, digits?: number) => string} */
export const number = (value, digits = 3) => (value == null ? "–" : value.toFixed(digits).replace("-", "−"));
