// A view, everything but the image, as the text of a link or a file, and back; and the image that an address names.

/** @import { Shape, SharedView, Source } from "../types" */

const VERSION = 1;                  // of the format
const MARK = "#view=";              // what the address of a link holds before it
const LONGEST = 4000, MOST_SHAPES = 200, MOST_KEPT = 3;

export const linkTo = (view) => location.href.split("#")[0] + MARK + encodeView(view);

// The view in the address of this page, or null.
export const linkedView = () => (location.hash.startsWith(MARK) ? readView(location.hash.slice(MARK.length)) : null);

// The image of the PACS that the address names, as a source, or null.
/** @returns {Source | null} */
export function linkedImage(query = location.search) {
  const given = new URLSearchParams(query), [study, series, instance] = ["study", "series", "instance"].map((name) => given.get(name));
  if (!study || !series || !instance) return null;
  const frame = Number(given.get("frame"));
  return { study, series, instance, ...(Number.isInteger(frame) && frame > 0 ? { frame } : {}) };
}

export const makeView = (parts) => ({ afloc: "view", version: VERSION, ...parts });

export function encodeView(view) {
  const bytes = new TextEncoder().encode(JSON.stringify(view));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decodeView(text) {
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

// A view from a link or a file, whoever wrote it: what has the wrong kind is left out. Null where it is no view.
/** @param {string} text @param {boolean} coded @returns {SharedView | null} */
export function readView(text, coded = true) {
  const given = parse(text, coded);
  if (given?.afloc !== "view" || given.version !== VERSION) return null;
  return {
    description: word(given.description), modality: word(given.modality) || null, example: word(given.example) || null,
    display: readDisplay(given.display), shapes: listOf(given.shapes).slice(0, MOST_SHAPES).filter(isShape).map(readShape),
    place: readPlace(given.place),
    kept: listOf(given.kept).slice(0, MOST_KEPT).map(word).filter(Boolean),
    width: given.image?.width, height: given.image?.height, fingerprint: word(given.fingerprint),
  };
}

function parse(text, coded) {
  try { return coded ? decodeView(text) : JSON.parse(text); } catch { return null; }
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const areNumbers = (given, keys) => Boolean(given) && keys.every((key) => isNumber(given[key]));
const word = (value) => (typeof value === "string" ? value.slice(0, LONGEST) : "");
const listOf = (value) => (Array.isArray(value) ? value : []);

const isFlag = (value) => typeof value === "boolean";
const isPair = (value) => Array.isArray(value) && value.length === 2 && value.every(isNumber);

// What each setting of the display must be.
const DISPLAY = {
  opacity: isNumber, threshold: isNumber,
  invert: isFlag, outline: isFlag, map: isFlag,
  colors: (value) => typeof value === "string",
  window: (value) => isPair(value) && value[0] < value[1],
};

function readDisplay(given) {
  return Object.fromEntries(Object.entries(DISPLAY).filter(([key, fits]) => fits(given?.[key])).map(([key]) => [key, given[key]]));
}

const readPlace = (given) => (areNumbers(given, ["x", "y", "zoom"]) ? { x: given.x, y: given.y, zoom: given.zoom } : null);

const isRing = (ring) => Array.isArray(ring) && ring.length > 1 && ring.every(isPair);
const isOutline = (rings) => Array.isArray(rings) && rings.length > 0 && rings.every(isRing);
const isShape = (shape) => areNumbers(shape, ["x", "y", "width", "height"]) && (!shape.rings || isOutline(shape.rings));
/** @type {(shape: Shape) => Shape} */
const readShape = ({ x, y, width, height, rings }) => (rings ? { kind: "outline", x, y, width, height, rings } : { kind: "box", x, y, width, height });
