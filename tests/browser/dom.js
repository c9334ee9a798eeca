// As much of a page as the scripts that draw need: elements with attributes and children, and a canvas that keeps its pixels.

class FakeElement {
  constructor(name) {
    Object.assign(this, { name, attributes: {}, children: [], parent: null, listeners: {}, dataset: {}, textContent: "" });
  }

  setAttribute(key, value) {
    this.attributes[key] = value;
    if (key.startsWith("data-")) this.dataset[key.slice(5)] = value;
  }

  append(...children) {
    for (const child of children) child.parent = this;
    this.children.push(...children);
  }

  before(other) {
    other.parent = this.parent;
    this.parent.children.splice(this.parent.children.indexOf(this), 0, other);
  }

  after(other) {
    other.parent = this.parent;
    this.parent.children.splice(this.parent.children.indexOf(this) + 1, 0, other);
  }

  remove() {
    this.parent.children.splice(this.parent.children.indexOf(this), 1);
  }

  addEventListener(name, listener) {
    this.listeners[name] = listener;
  }

  // Knows tags and classes, as the scripts ask for them.
  querySelectorAll(selectors) {
    const wanted = selectors.split(", "), below = this.children.flatMap((child) => [child, ...child.querySelectorAll(selectors)]);
    const fits = (each) => wanted.some((one) => (one.startsWith(".") ? (each.attributes.class ?? "").split(" ").includes(one.slice(1)) : each.name === one));
    return [...new Set(below)].filter(fits);
  }
}

export const element = (name = "svg") => new FakeElement(name);

globalThis.document = /** @type {any} */ ({ createElementNS: (_, name) => new FakeElement(name), createElement: (name) => new FakeElement(name), activeElement: null });
globalThis.matchMedia = /** @type {any} */ (() => ({ matches: false }));

// A canvas context of a size; `pixel(x, y)` gives red, green, blue and alpha of what was put there.
export function context(width, height) {
  const put = new Uint8ClampedArray(4 * width * height);
  return {
    canvas: { width, height },
    createImageData: (columns, rows) => ({ width: columns, height: rows, data: new Uint8ClampedArray(4 * columns * rows) }),
    putImageData(image, left, top) {
      for (let y = 0; y < image.height; y++) {
        put.set(image.data.subarray(4 * y * image.width, 4 * (y + 1) * image.width), 4 * ((top + y) * width + left));
      }
    },
    pixel: (x, y) => [...put.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)],
  };
}
