// Where the server is, and images on their way to it and back.

import { readImage } from "../viewer/image_pixels.js";
import { filmName } from "./current_film.js";
/** @import { AboutImage, Facts, OpenImage, OpenedImage, Refused, Source } from "../types" */

// This file comes from afloc/page/VERSION/shared: so the other routes are found below a path and in a frame, too.
const ROUTES = new URL("../../../", import.meta.url);
/** @type {(route: string) => string} */
export const addressOf = (route) => new URL(route, ROUTES).href;

export const RETRY = 3000;          // ms between attempts while the server does not answer
/** @type {(time: number) => Promise<void>} */
export const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

// The server says no; the message is a sentence for the user. `gone`: what was asked about must be sent again. `final`: asking again
// would not help. `status`: of the answer.
export class Refusal extends Error { gone = false; final = true; status = 0; }

const OFFLINE = "The server does not answer. Check the connection and try again.";
// What went wrong, for the user.
/** @param {unknown} error */
export const inOneSentence = (error) => (error instanceof Refusal ? error.message : OFFLINE);

const FOR_NOW = [401, 403, 408, 410, 429];      // and what is wrong with the server, from 500

/** @param {string} sentence @param {number} status */
export const refusalOf = (sentence, status) => Object.assign(new Refusal(sentence), { gone: status === 410, final: status < 500 && !FOR_NOW.includes(status), status });

// The answer to a POST. Where the server refuses, a Refusal with its sentence, or with `otherwise` where it gave none.
/** @param {string} address @param {BodyInit} body @param {string} otherwise @param {Record<string, string>} headers */
export async function post(address, body, otherwise, headers = {}) {
  const response = await fetch(address, { method: "POST", body, headers });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw refusalOf(problem.error || otherwise, response.status);
}

// What an answer with pixels says of its image.
/** @type {(response: Response) => AboutImage} */
export const aboutOf = (response) => JSON.parse(response.headers.get("X-AFLoc-Image"));

// What an image without a title is called.
/** @type {(about: AboutImage) => string} */
export const nameOf = ({ width, height, frame = 0, frames = 1 }) => `Image, ${width} by ${height} pixels${frames > 1 ? `, frame ${frame + 1} of ${frames}` : ""}`;

// What the stage says of an image. The name of its file stays in the browser; the server is never told it.
/** @param {AboutImage} about @param {Source} source @returns {Facts} */
export const factsOf = ({ projection, study_date, spacing, plane, title }, source) => ({ name: filmName(source) || title || "", projection, study_date, spacing, plane });

// `source` is { file, frame }, { example }, { set, row } or { study, series, instance, frame } of the PACS; it is kept so that the image can be sent again if the server dropped it.
// `again`: the answer is its new token alone, without the pixels.
/** @param {Source} source @param {boolean} again @returns {Promise<[AboutImage, Response]>} */
export async function send(source, again = false) {
  const { file, ...named } = source, query = `?${new URLSearchParams(/** @type {any} */ (again ? { ...named, again } : named))}`;
  await file?.slice(0, 1).arrayBuffer().catch(() => { throw new Refusal("The file was moved or changed: please open it again."); });
  const response = await post(addressOf("images") + query, file ?? "", "The server could not take this image.", { "Content-Type": "application/octet-stream" });
  return [aboutOf(response), response];
}

// An image, opened: what the server says of it, and its pixels.
/** @param {Source} source @returns {Promise<OpenedImage>} */
export async function openImage(source) {
  const [about, response] = await send(source);
  return { image: { token: about.token, source, about }, pixels: readImage(await response.arrayBuffer(), about) };
}

// A small picture of an image, which the server does not keep open.
/** @param {Source} source */
export async function thumbnailOf({ file, ...named }) {
  const query = `?${new URLSearchParams(/** @type {any} */ ({ ...named, thumbnail: true }))}`;
  const response = await post(addressOf("images") + query, file ?? "", "The server could not take this image.", { "Content-Type": "application/octet-stream" });
  return response.blob();
}

// Another frame of the file that an open image comes from; the file itself is sent again only where the server dropped it.
/** @param {OpenImage} image @param {number} frame @returns {Promise<[AboutImage, Response]>} */
async function sendFrame(image, frame) {
  const query = `?${new URLSearchParams({ of: image.token, frame: String(frame) })}`;
  try {
    const response = await post(addressOf("images") + query, "", "The server could not show this frame.");
    return [aboutOf(response), response];
  } catch (error) {
    if (error instanceof Refusal && error.gone) return send({ ...image.source, frame });
    throw error;
  }
}

// What the frames of an image have in common: its file, or its name in the PACS.
/** @param {OpenImage} image */
export const fileOf = ({ source }) => source.file ?? source.instance;

// The image that another frame of `file` is, and its bytes; null where `image`, or what is shown, is another by now.
/** @param {OpenImage} image @param {File | string} file @param {number} frame @param {() => boolean} isShown */
export async function openFrame(image, file, frame, isShown) {
  if (fileOf(image) !== file) return null;
  const [about, response] = await sendFrame(image, frame), bytes = await response.arrayBuffer();
  if (isShown()) return { opened: { token: about.token, source: { ...image.source, frame }, about }, bytes };
  forget(about.token);
  return null;
}

// Gives `image`, { token, source, … }, a new token where the server had dropped it; once for all who ask for that meanwhile.
/** @param {OpenImage} image */
export async function sendAgain(image) {
  image.sending ??= send(image.source, true).then(([{ token }]) => { image.token = token; }).finally(() => { image.sending = null; });
  await image.sending;
}

// The same for an image that is asked about, unless another one is shown by then: that one the server need not keep.
/** @param {OpenImage} image @param {() => boolean} isShown */
export async function renew(image, isShown) {
  await sendAgain(image);
  if (!isShown()) forget(image.token);
}

// What the server answers to `ask(token)` about the image shown, which is sent again where it had been dropped.
/** @template {Refused} Reply @param {OpenImage} image @param {() => boolean} isShown @param {(token: string) => Promise<Reply>} ask @returns {Promise<Reply>} */
export async function askAbout(image, isShown, ask) {
  const reply = await ask(image.token);
  if (!reply.gone || !isShown()) return reply;
  await renew(image, isShown);
  return ask(image.token);
}

/** @param {string} token */
export function forget(token) {
  fetch(addressOf(`images/${token}`), { method: "DELETE", keepalive: true }).catch(() => {});
}
