// Small pictures of the cases, fetched when they come into view and kept while the page is open.

import { make } from "../shared/dom.js";

const kept = new Map();             // the address of each picture, by study, image and size
const MOST = 400;

// The picture of an image as { url, width, height of the image }.
/** @param {(action: string, question: object) => Promise<Response>} request @param {string} name @param {string} image @param {number} size */
export function fetchPicture(request, name, image, size) {
  const key = `${name}/${size}/${image}`;
  if (!kept.has(key)) {
    if (kept.size >= MOST) {
      const [[oldest, picture]] = kept;
      kept.delete(oldest);
      picture.then(({ url }) => URL.revokeObjectURL(url), () => {});
    }
    const fetched = request("picture", { name, image, size }).then(async (response) => {
      const [width, height] = response.headers.get("X-AFLoc-Size").split(" ").map(Number);
      return { url: URL.createObjectURL(await response.blob()), width, height };
    });
    fetched.catch(() => kept.delete(key));
    kept.set(key, fetched);
  }
  return kept.get(key);
}

// An element that shows the picture once it is in view.
/** @param {(action: string, question: object) => Promise<Response>} request @param {string} name @param {string} image @param {string} said */
export function thumbnail(request, name, image, said) {
  const holder = make("span", "thumb"), watcher = new IntersectionObserver(async ([{ isIntersecting }]) => {
    if (!isIntersecting) return;
    watcher.disconnect();
    const picture = await fetchPicture(request, name, image, 160).catch(() => null);
    if (!picture) return holder.classList.add("missing");
    const shown = new Image();
    shown.src = picture.url;
    shown.alt = said;
    holder.replaceChildren(shown);
  });
  watcher.observe(holder);
  return holder;
}
