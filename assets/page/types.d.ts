// What the server and the page say to each other, and the things the scripts hand around. Only for checking: no browser reads this.

// --- images and maps ---------------------------------------------------------------------------------------------------

/** [low, high]. */
export type Range = number[];
/** [x, y]. */
export type Point = number[];

/** How the patient lies in an image. `patient_right` and `patient_front`: the side of the picture where they lie. */
export interface Orientation {
  patient_right: "left" | "right" | null; patient_front: "left" | "right" | null; view: "frontal" | "lateral" | null; eye: "left" | "right" | null;
  source: "file" | "assumed" | null;
}
/** The letters at the sides of an image, whether they are assumed, and what the pointer is told of them. */
export interface Sides { left: string; right: string; assumed: boolean; tag: string; hint: string }

/** What the server says of the pixels it sends; `window` in stored values, `spacing` in mm between rows and between columns. */
export interface AboutImage {
  width: number; height: number; aspect?: number; channels: 1 | 3; depth: 8 | 16; window: Range;
  token?: string; notes?: string[]; spacing?: Range | null; plane?: Plane | null; projection?: string | null; study_date?: string | null;
  title?: string | null; description?: string | null; orientation?: Orientation; frame?: number; frames?: number; burned_in?: boolean | null;
}

/** Where the lengths of an image hold: in the patient or on the slide, at the detector, on a film that was scanned, or nobody says. */
export type Plane = "object" | "detector" | "film" | "unsaid";
/** What stands in the corners of the stage. A reader of a study gets neither name nor date. */
export interface Facts { name?: string; projection?: string | null; study_date?: string | null; spacing?: Range | null; plane?: Plane | null }
/** What the corners say, each "" where there is nothing. */
export type CornerTexts = Record<"name" | "taken" | "tag" | "matrix" | "spacing" | "window" | "colors", string>;

export type Samples = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
export interface Level { width: number; height: number; planes: Samples[] }

/** An image in the browser: of level k, each cell stands for 2^k by 2^k pixels. */
export interface PixelImage { width: number; height: number; aspect: number; depth: 8 | 16; window: Range; levels: Level[] }

/** Where an image comes from, so that it can be sent again. */
export interface Source { file?: File; frame?: number; example?: string; set?: string; row?: number; study?: string; series?: string; instance?: string }
/** What the PACS lists. `place`: where it keeps the image. */
export interface PacsStudy { study: string; name: string; patient: string; date: string; modalities: string; description: string; accession: string }
export interface PacsImage {
  place: { study: string; series: string; instance: string }; modality: string; description: string; number: string; frames: number; width: number; height: number;
}

/** An image that the server holds, as a tab keeps it. */
export interface OpenImage { token: string; source: Source; about: AboutImage; sending?: Promise<void> | null }

/** The same with its pixels. */
export interface OpenedImage { image: OpenImage; pixels: PixelImage }

/** Rows of numbers 0 … 1 that cover exactly the image. */
export type Grid = number[][];
/** The same, flat, ready to be painted. */
export interface HeatMap { rows: number; columns: number; cells: Float32Array }

/** The extent of an image in pixels; `aspect`: height of a pixel over its width, 1 unless given. */
export interface Extent { width: number; height: number; aspect?: number }
/** Image pixel (x, y) lies at (left + x·zoom, top + y·zoom·aspect). */
export interface View { zoom: number; left: number; top: number }
/** The image pixel in the middle and the zoom, 1 where the image fits. */
export interface Place { x: number; y: number; zoom: number }

export interface Display {
  window: Range; invert: boolean; colors: string; opacity: number; threshold: number; outline: boolean; map: boolean; film: string; texts: boolean;
}
/** How the shades of an image come to the screen: by a colour table, or as one channel. `said`: in words, where it is not as it was taken. */
export interface FilmColors { name: string; title: string; table?: Uint8Array; channel?: number; said?: string }

/** A box in pixels of the image. */
export interface Box { x: number; y: number; width: number; height: number }
/** A box, or an outline with the box around it; the first ring is the outer one. */
/** `reader`: given by a human reader, not the ground truth. */
export interface Shape extends Box { id?: number; kind: "box" | "outline" | "ruler" | "angle" | "ratio" | "area"; label?: string; rings?: Point[][]; rating?: number; reader?: boolean }
/** The size of a pixel, in a unit. */
export interface Scale { x: number; y: number; unit: "mm" | "µm" | "px"; plane: Plane | null }
/** What a shape measures: lengths and areas in `unit`, values as they are stored, one a channel. */
export interface Measurement {
  kind: Shape["kind"]; points: Point[][]; unit: Scale["unit"]; plane: Plane | null; length?: number; lengths?: number[]; ratio?: number; degrees?: number;
  area?: number; pixels?: number; mean?: number[] | null; deviation?: number[] | null;
}
/** measuring/tools.js. */
export type MeasuringTools = typeof import("./measuring/tools.js");

/** What is on the screen: the reader's shapes, given ones, and the one that is just being drawn. */
export interface DrawnShapes { shapes: Shape[]; truth: Shape[]; selected: number | null; drawing: Shape | null; tools: MeasuringTools | null }

/** A shape as it is stored. */
export interface Region { box?: number[]; outline?: Point[] }

// --- answers of the server -----------------------------------------------------------------------------------------------

/** Any server function may answer so: one sentence and the HTTP status that stands for it, and `gone` where the image must be sent again. */
export interface Refused { error?: string; status?: number; gone?: boolean }

export interface Finding {
  text: string; score: number; probability: number | null; present: boolean | null; operating_point: number | null;
  asked: Asked | null; holds: boolean | null; side: NamedSide | null; suggestions: string[]; performance: Performance | null; flagged: string[];
  cautions: string[]; grid: Grid; warning?: string;
}
type Side = "left" | "right" | "both";
interface Statement {
  status: "affirmed" | "denied" | "normal" | "structure" | "described" | "unknown"; finding: string | null; name: string | null; side: Side | null;
  zones: string[]; hedged: boolean;
}
export interface AskedStatement extends Statement { probability: number | null; present: boolean | null; holds: boolean | null }
export interface Asked extends Statement { statements: AskedStatement[] }
/** In the patient's terms; `seen` and `agrees` are null unless the finding is present and its side is decided. */
export interface NamedSide { named: Side; seen: Side | null; agrees: boolean | null }
/** Of the verdict, on held-back training patients. `ill`, `healthy`: how many have a probability in each of 20 bins from 0 to 1; empty for "normal". */
export interface Performance {
  n_present: number; n_absent: number; sensitivity: number; specificity: number; sensitivity_ci95: Range; specificity_ci95: Range;
  ill: number[]; healthy: number[]; reliable: boolean;
}
/** Of a scan; a map only where it is flagged. */
export interface ScannedFinding extends Omit<Finding, "grid"> { id: string; name: string; family: string; parents: string[]; grid: Grid | null }
/** `grid`: two hexadecimal digits a cell, row by row, `columns` in each; it may have fewer cells than the finding's. */
export interface Word { text: string; known: boolean; pull: number; grid: string; columns: number }

export interface Saved { id: string; time: string }
/** "stopped": no answer unless the user insists; "unusual": the sentence stands beside the answer. */
export interface Doubt { degree: "stopped" | "unusual"; sentence: string }
export interface LocateReply extends Refused {
  modality: string; orientation: Orientation; doubt: Doubt | null; finding: Finding | null; words?: Word[]; remarks?: string[]; question?: boolean; unknown?: string[];
  overtaken?: boolean;
}
export interface ScanReply extends Refused { modality: string; doubt: Doubt | null; findings: ScannedFinding[] }

/** An answer without its map, as lists of films keep it. */
export type Checked = Omit<Finding, "grid">;
/** A finding for each description. */
export interface CheckReply extends Refused { modality: string; orientation: Orientation; doubt: Doubt | null; findings: Checked[] }

/** What somebody marked, in pixels of the image; `outline`: what is drawn of a mask. */
export interface Marks { boxes: number[][]; polygons: number[][]; runs: number[]; outline: Point[][] }
export interface Truth extends Marks {
  label: string; phrase?: string | null; byHand?: boolean; descriptions?: string[];
  /** What each human reader marked; the file it is from, and whether that is a mask picture. */
  readers?: Marks[]; from?: string; mask?: boolean;
}
export interface Readers { count: number; iou: number; dice: number; area: number; threshold: number; model_iou: number; model_dice: number; model_area: number }
/** What tables call each measure, by its key. */
export type Measures = Record<string, { name: string; digits: number; unit: string; about: string }>;
/** IoU and Dice (null without ground truth) and the share of the image above each threshold. */
export interface Curve { iou: number[] | null; dice: number[] | null; area: number[] }
export type Agreement = Record<string, number | null>;
export interface Measured { finding: Finding; range: Range; agreement: Agreement; readers: Readers | null; stretched: Curve; fixed: Curve }
export interface Case { descriptions: string[]; answers: (Measured | null)[] }
export interface MeasureReply extends Refused { modality: string; orientation: Orientation; doubt: Doubt | null; cases: Case[] }

/** What the Ground truth tab compares: an image, what is marked on it, what the server said of each truth, and how it is shown. */
export interface Compared {
  image: OpenImage | null; modality: string | null; truths: Truth[]; chosen: number; cases: Case[]; answers: number; compare: boolean; scale: "stretched" | "fixed";
}

export interface Interval { mean: number | null; ci95: Range | null }
export interface SummaryRow { name: string; n: number | null; figures: Record<string, Interval> }
export interface SetCase { row: number; truth: number; image: string; label: string; iou: number | null; cnr: number | null }
export interface SetState extends Refused {
  state: "new" | "running" | "failed" | "done"; done?: number; of?: number;
  summary?: { n_images: number; n_cases: number; columns: string[]; rows: SummaryRow[]; blind: SummaryRow[] }; cases?: SetCase[];
  figures?: { name: string; title: string }[]; tables?: string[];
}

export interface Question { id: string; text: string; kind: "rating" | "choice" | "text" | "regions"; labels: string[]; required: boolean }
export type Answers = Record<string, string | number>;
/** Whose study it is and how much there is; `minutes` is 0 where that is not said. */
export interface AboutStudy { by: string; contact: string; minutes: number; training: number; cases: number; feedback: boolean }
/** The reference standard of a training case. */
export interface CaseTruth { truth: boolean | null; regions: Region[]; explanation: string }
export interface Slot { index: number; total: number; training: boolean; number: number; of: number; arm: "aided" | "unaided"; description: string; questions: Question[]; back: boolean; edit: boolean }
/** Where a reader is. Of a case also what was saved before, and the finding in the aided arm only. */
export interface StudyPlace extends Refused {
  title?: string; reader?: string; about?: AboutStudy; stage: "enter" | "consent" | "training" | "cases" | "waiting" | "end" | "case" | "coordinator"; text?: string; until?: string; back?: number | null;
  slot?: Slot; answered?: boolean; open?: boolean; finding?: Finding; remarks?: string[]; doubt?: Doubt | null;
  saved?: { answers: Answers; regions: Region[]; visible_ms: number; active_ms: number };
}

export type Cell = string | number | boolean | null;
export interface KeyFigure { label: string; value: string; detail: string }
/** Whose rows can be erased, by name. */
export interface Erasable { readers: string[]; cases: string[] }
/** `key`: of the rows that were counted. */
export interface EraseReply extends Refused { rows?: number; key?: string; said?: string; done?: boolean }
/** `plot` and `table`: what its figure and its table are called as files, "" for none. */
export interface Part { plot: string; table: string; title: string; note?: string; columns: string[]; rows: Cell[][]; more: number; figure: { data: any[]; layout: any } | null }
export interface ResultsReply extends Refused { choices: [string, string][]; study: string; versions: [string, string][]; version: string; key: KeyFigure[]; notes: string[]; parts: Part[]; erasable: Erasable }

// --- what Python gives a tab -----------------------------------------------------------------------------------------------

export interface Example { name: string; title: string; thumbnail: string }
/** Colour tables by name: 256 times red, green and blue in hexadecimal digits. */
export type Colors = Record<string, string>;
interface Descriptions { simple: string[]; precise: string[]; about: string[]; terms: string[][] }

export interface ProbeProps {
  colors: Colors; model: string; fingerprint: string; calibrated: boolean; own_sentences: boolean; trained_on: string[];
  most_checked: number; upload_mb: number;
  modalities: Record<string, string>; descriptions: Record<string, Descriptions>; examples: Example[];
  pacs: { search: boolean; send: boolean; dicom: boolean };
}
export interface GroundTruthProps {
  colors: Colors; model: string; fingerprint: string; modalities: Record<string, string>; examples: Example[]; first: string;
  truths: Record<string, Truth[]>; stretched: number[]; fixed: number[]; paper: number[]; sets: string[]; measures: Measures; names: string[];
}
export interface StudyProps { colors: Colors; hint: string }
export interface ResultsProps { formats: string[] }

type Ask<Request, Reply> = (request: Request) => Promise<Reply>;

export interface ProbeServer {
  locate: Ask<{ image: string; description: string; modality: string | null; live?: boolean }, LocateReply>;
  scan: Ask<{ image: string; modality: string | null }, ScanReply>;
  check: Ask<{ image: string; descriptions: string[]; modality: string | null }, CheckReply>;
  feedback: Ask<FeedbackRequest, Saved & Refused>;
  withdraw: Ask<{ id: string; session: string; replaces: string; token?: string }, Saved & Refused>;
}
export interface FeedbackRequest {
  token: string; modality: string | null; description: string; there: string | null; place: string | null; confidence: number | null; comment: string; regions: Region[];
  threshold: number; display: object; visible_ms: number; session: string; id: string; replaces: string | null;
}
export interface GroundTruthServer {
  read_truth: Ask<{ image: string; content: string; name: string; image_name: string | null }, Refused & { truths: Truth[] }>;
  measure: Ask<{ image: string; modality: string | null; truths: object[]; compare: boolean }, MeasureReply>;
  read_case: Ask<{ set: string; row: number }, Refused & { modality: string | null; truths: Truth[] }>;
  set_state: Ask<{ set: string; style: string; run: boolean }, SetState>;
}
export interface StudyServer {
  place: Ask<object, StudyPlace>;
  agree: Ask<object, Refused>;
  draft: Ask<object, Saved & Refused>;
  answer: Ask<object, Saved & Refused & { truth?: CaseTruth }>;
}
export interface PowerRequest { code: string; pilot: string; difference: number; cases: number | null; area: number; positive: number; reader_range: number }
export interface ResultsServer {
  results: Ask<{ code: string; study: string | null; version: string | null }, ResultsReply>;
  power: Ask<PowerRequest, Part & Refused>;
  erase: Ask<{ code: string; study: string; reader: string; case: string; counted: string }, EraseReply>;
}

// --- making a study ----------------------------------------------------------------------------------------------------------

/** `key`: where in the study file; `sentence`: what is wrong, which begins with the key. */
export interface StudyFault { key: string; sentence: string }
export interface StudyListed { name: string; title: string; state: string; problem: string }
/** A study file as the form has it. `token` stands for its text; `values` are its keys. */
export interface StudyFile {
  name: string; token: string; values: any; text: string; problem: string; state: string; faults: StudyFault[]; advice: string[]; comments: number; unknown: string[];
  version: string; digest: string; totals: number[]; answers: number;
}
export interface PreviewServer {
  place: Ask<any, StudyPlace>; agree: Ask<object, Refused>; draft: Ask<any, Saved>; answer: Ask<any, Saved>;
  pixels: (index: number) => Promise<Response>;
}
export interface EditorWindow { root: HTMLElement; code: string; leave: () => void; preview: (server: PreviewServer) => void }
type FieldOptions = { key?: string; hint?: string; bare?: boolean; kept?: boolean; lines?: number; longest?: number; least?: number; most?: number; step?: number; otherwise?: number; then?: () => void };
export interface Fields {
  text: (label: string, owner: any, name: string, options?: FieldOptions) => HTMLElement;
  number: (label: string, owner: any, name: string, options?: FieldOptions) => HTMLElement;
  check: (label: string, owner: any, name: string, options?: FieldOptions) => HTMLElement;
  choice: (label: string, owner: any, name: string, choices: string[][], options?: FieldOptions) => HTMLElement;
  action: (title: string, act: () => void, className?: string) => HTMLButtonElement;
}
export interface StepContext {
  study: StudyFile; values: any; fields: Fields; changed: () => void; readOnly: boolean; locked: boolean; sets: string[];
  ask: (action: string, question?: object) => Promise<any>; request: (action: string, question: object) => Promise<Response>;
  render: () => void; say: (text: string, failed?: boolean) => void; explain: (error: unknown) => string; goTo: (step: string) => void;
  changeState: (state: string) => void; remove: () => void; poll: (act: () => void, time: number) => void; refresh: () => Promise<boolean>;
}
export interface Step { id: string; title: string; build: (form: HTMLElement, context: StepContext) => void }

/** What a tab is started with. */
export interface Tab<Props, Server> { element: HTMLElement; props: Props; server: Server }

// --- parts of the page -------------------------------------------------------------------------------------------------------

/** A view as it is shared: everything but the image. */
export interface SharedView {
  description: string; modality: string | null; example: string | null; display: Partial<Display>; shapes: Shape[]; place: Place | null;
  kept: string[]; width: number | undefined; height: number | undefined; fingerprint: string;
}

/** A drag on the image that has begun. */
export interface Gesture { move(to: Point): void; end(): void; cancel(): void }

/** One image on the stage, film.js. `step`, `close`, `map` and `answer` are those of one beside another. */
export interface Film {
  image: PixelImage | null; shades: Uint8Array | null; window: Range; label: string; facts: Facts; sides: Sides; frame: number; frames: number;
  viewport: ReturnType<typeof import("./viewer/viewport.js").createViewport>; annotations: ReturnType<typeof import("./viewer/annotations.js").createAnnotations>;
  show(image: PixelImage, label: string, facts: Facts, frames: number[]): void; setWindow(window: Range, invert: boolean): void;
  setSides(orientation: Orientation | null): void; step?(by: number): void; close?(): void; map?: HeatMap | null; answer?: ShownMap;
}

/** A film with one map over it, and shapes over both. `own`, `vertices` and `group` hold the reader's shapes. */
export interface Pane {
  film: Film; corners: ReturnType<typeof import("./viewer/corners.js").makeCorners>; bar: ReturnType<typeof import("./viewer/color_bar.js").makeColorBar>;
  link: HTMLButtonElement; vertices?: Map<number, SVGElement[]>;
  frame: HTMLElement; element: HTMLElement; canvas: HTMLCanvasElement; shapes: SVGElement; title: HTMLElement; note: HTMLElement; caption: HTMLElement;
  close: HTMLButtonElement; imageContext: CanvasRenderingContext2D; mapContext: CanvasRenderingContext2D;
  truth?: boolean; group?: SVGElement; own?: Map<number, SVGElement>;
}
/** How the screen pixels of one axis mix its cells. */
export interface Axis { low: Int32Array; high: Int32Array; share: Float32Array }
export type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
export interface PaintOptions { colors: Uint8Array; opacity: number; threshold: number; outline?: boolean }

/** What pointer, wheel and touch do. */
export interface PointerActions {
  ready(): boolean; paneOf(event: MouseEvent): Pane; toImage(event: MouseEvent): Point;
  begin(target: HTMLElement | SVGElement, point: Point): Gesture | null;
  panBy(dx: number, dy: number): void; zoomAt(x: number, y: number, factor: number): void; windowBy(dx: number, dy: number): void; fit(): void;
  windows(): boolean; hover(event: PointerEvent): void; leave(): void; drag(pane: Pane): void; scrolls(): boolean; scroll(by: number): void;
}
/** What the render loop paints, and what it must know of it. */
export interface RenderActions {
  size(): [number, number]; layers(): [number, number];
  images(width: number, height: number, scale: number): void; maps(width: number, height: number, scale: number): void; shapes(): void;
}

/** A map to show, with what stands above its pane. */
export interface ShownMap { rows: Grid | null; title?: string; note?: string; cautions?: string[] }

/** What the Probe tab is left with when another film of a list takes its place, and comes back to. */
export interface FilmLeft {
  frame: number; description: string; typed: boolean; modality: string | null; trusted: boolean; insisted: boolean; kept: Finding[]; reply: LocateReply | null;
  display: Partial<Display>; place: Place | null; shapes: Shape[]; measures: Shape[]; said: Said; stored: Promise<void>;
}
/** What was said of the answers on an image. `touched`: something was drawn on it. */
export interface Said { entries: Map<string, any>; touched: boolean }
/** The Probe tab, as a list of films uses it. */
export interface Reading {
  element: HTMLElement; props: ProbeProps; server: ProbeServer; image(): OpenImage | null; description(): string;
  put(opened: OpenedImage, left: FilmLeft | null, reply: LocateReply | null): void; leave(): { image: OpenImage; left: FilmLeft }; waits(on: boolean): void; refuse(sentence: string): void;
  /** Puts another film beside the one on the stage. */
  beside(source: () => Promise<Source>): void;
  /** The image on the stage, where it is the user's own and something on it is not stored. */
  unsaved(): OpenedImage | null;
}

/** What the Probe tab shares. */
export interface ShareState {
  /** Of the film beside, where it was asked. */
  beside: Finding | null; finding: Finding | null; doubt: Doubt | null; shown: Finding[]; modality: string | null; description: string; kept: string[]; example: string | null;
  image: { width: number; height: number } | null; spacing: number | null; burnedIn: boolean; frame: number | null;
}
export interface ExportedPicture {
  image: PixelImage; shades: Uint8Array; map: HeatMap | null; paint: PaintOptions; shapes: Shape[]; caption: string[]; spacing: number | null; largest?: number;
  scale?: Range; film?: FilmColors; values?: { text: string; at: Point }[]; planes?: string;
}
export interface RenderOptions { overlay?: boolean; caption?: string[]; spacing?: number | null; pane?: number; largest?: number; beside?: boolean }

// What a selector finds is of the kind that the markup says, and every event comes from an element.
declare global {
  interface Window { Plotly: any }
  interface ParentNode {
    querySelector(selectors: string): any;
    querySelectorAll(selectors: string): NodeListOf<any>;
  }
  interface EventTarget {
    closest(selectors: string): any;
    readonly dataset: DOMStringMap;
  }
}
