"""Reports and labels to text: cleaned reports, sentences, and what each row of a table states.

Statements come from the sentences of a report, from MeSH codes ("Opacity/lung/middle lobe/right") and from the labels
of sources that have no report. A grade is expanded into the lesions that define it: that is how lesion words enter
without a lesion being marked.
"""

import json
import re
from dataclasses import dataclass

from afloc.errors import DataError
from afloc.findings import ancestors, find_by_label, load_findings
from afloc.training.statements import (
    AFFIRMED,
    DENIED,
    HEDGED,
    Statement,
    find_side,
    find_zone,
    opposite,
    other_side,
    read_statements,
    sentence_for,
)
from afloc.training.vocabulary import (
    ABBREVIATIONS,
    DEFINED_BY,
    MESH,
    NEGATIVE_LABELS,
    NO_FINDING_SENTENCE,
    NORMAL_DENIES,
    TOKEN_FILLS,
)

__all__ = [
    "RowText",
    "Statement",
    "clean_report",
    "opposite",
    "other_side",
    "read_label",
    "read_mesh",
    "read_row",
    "read_statements",
    "sentence_for",
    "split_sentences",
]


@dataclass(frozen=True)
class RowText:
    """The text of one row of a table: cleaned report, its sentences, and all that is stated."""

    report: str
    sentences: tuple[str, ...]
    statements: tuple[Statement, ...]


def clean_report(text: str) -> str:
    """`text` without de-identification tokens, point numbers, credits, ages and sentences that hold no finding."""
    text = re.sub(r"(?i)\b(?:case |image |images )?(?:courtesy of|credit to)\b[^\n]*", " ", text)
    text = re.sub(r"(?i)\ban? \d{1,3}[- ]?years?[- ]olds?(?: \w+ (?:wo)?man\b| (?:wo)?man\b| (?:fe)?male\b(?: patient)?)?",
                  " a patient", text)  # fmt: skip
    text = re.sub(r"(?i)\b\d{1,3}[- ]?years?[- ]olds?\b|\baged? \d{1,3}\b", " ", text)
    text = re.sub(r"(?:^|(?<=[\s.:]))\d{1,2}[.)]\s+(?=[A-Z])", " ", text)
    for pattern, words in ABBREVIATIONS:
        text = re.sub(pattern, words, text)
    kept = (_without_tokens(sentence) for sentence in split_sentences(text))
    return " ".join(sentence for sentence in kept if sentence and not NO_FINDING_SENTENCE.search(sentence))


def split_sentences(text: str) -> list[str]:
    """The sentences of `text`, each ending with a full stop; decimals and titles do not end one."""
    parts = re.split(
        r"(?<!\bDr)(?<!\bvs)(?<!\be\.g)(?<!\bi\.e)(?<!\bapprox)[.!?]+(?:\s+|$)|\s*\n+\s*|\s*;\s+", text
    )
    sentences = (re.sub(r"\s+", " ", part).strip(" .,;:-") for part in parts)
    return [
        sentence[0].upper() + sentence[1:] + "."
        for sentence in sentences
        if re.search(r"[^\W\d_]{2}", sentence)
    ]


def _without_tokens(sentence: str) -> str:
    """`sentence` without XXXX and the little words it orphans; empty where too little is left to mean anything."""
    tokens = len(re.findall(r"\bX{3,}\b", sentence))
    if not tokens:
        return sentence
    if (
        re.search(r"(?i)\bha(?:s|ve) X{3,}|\bX{3,} (?:is|are) (?:normal|unremarkable|clear)", sentence)
        and tokens > 1
    ):
        return ""
    for pattern, words in (
        (r"(?i)\bcostophrenic X{3,}(?:es)?", "costophrenic angles"),
        (r"\b[xX]-X{3,}s?", "x-ray"),
        (r"(?i)\bno X{3,} of\b", "no signs of"),
        (r"(?i)\blymph X{3,}\b", "lymph nodes"),
        (r"(?i)\baortic X{3,}\b", "aortic arch"),
        (r"(?i)\bsternotomy X{3,}\b", "sternotomy wires"),
        (r"(?i)\bsurgical X{3,}\b", "surgical clips"),
        (r"(?i)\bbony X{3,}\b", "bony structures"),
        (r"(?i)\bpulmonary X{3,}(?= (?:is|are|appears?|within|normal|unremarkable)\b)", "pulmonary vasculature"),
        (r"(?i)\b(port-a-)X{3,}\b", r"\1cath"),
        (r"(?i)\bchest X{3,}\b", "chest radiograph"),
        (r"(?i)\bX{3,}-X{3,}\b", " "),
        (r"(?i)(?:,|\b(?:the|an?|with|of|and|or|to|from|on|in|at|by|since|dated|as|for|is|are|prior))(?: X{3,})+(?=\s*[.,;]|$)",
         ""),
        (r"(?i)^(?:X{3,} )+(?:and|or|of|is|are|in|the)\b", " "),
        (r"\bX{3,}\b(?:'s)?", " "),
    ):  # fmt: skip
        sentence = re.sub(pattern, words, sentence)
    sentence = re.sub(r"\s+([.,;])", r"\1", re.sub(r"\s+", " ", sentence)).strip(" ,")
    words = re.findall(r"[^\W\d_]{3,}", sentence)
    return sentence[0].upper() + sentence[1:] if len(words) >= max(2, tokens) else ""


def read_row(row: dict[str, str], modality: str) -> RowText:
    """The text and statements of a row of train.csv (columns as in the data's README; missing ones count as empty).

    Statements come from every sentence, and from MeSH codes where the row has them, else from its labels. What is
    affirmed anywhere in the row outweighs its denial elsewhere; "normal" stands only where nothing is affirmed.
    """
    sentences, statements = [], []
    reported = bool(row.get("findings") or row.get("impression"))
    parts = (row.get(name) or "" for name in ("text", "findings", "impression"))
    for sentence in (each for part in parts for each in _row_sentences(part, modality)):
        said = read_statements(sentence, modality)
        if modality == "chest_xray" and not reported and not _describes_image(sentence, said):
            continue
        sentences.append(sentence)
        statements += said
    codes = _mesh_codes(row.get("mesh") or "")
    labels = [label.strip() for label in (row.get("labels") or "").split(";") if label.strip()]
    coded = [said for code in codes for said in read_mesh(code)]
    coded = coded or [said for label in labels for said in read_label(label, modality)]
    if modality == "chest_xray" and not reported and any(said.finding_id == "normal_chest" for said in coded):
        sentences, statements = [], []  # a note on a normal film speaks of other films
    unique = {re.sub(r"\W+", " ", sentence.lower()).strip(): sentence for sentence in reversed(sentences)}
    sentences = tuple(reversed(unique.values()))
    return RowText(" ".join(sentences), sentences, _reconcile([*statements, *coded], modality))


def read_label(label: str, modality: str) -> list[Statement]:
    """The statements of one label; empty for a label that names no listed finding."""
    if label.lower() in NEGATIVE_LABELS:
        return [Statement(finding_id, DENIED) for finding_id in NEGATIVE_LABELS[label.lower()]]
    if label == "H&E tissue":
        return [Statement("nuclei", AFFIRMED)]
    entry = find_by_label(label, modality)
    if entry is None or entry.family == "other":
        return []
    return [Statement(entry.id, HEDGED if label.lower().startswith("suspected") else AFFIRMED)]


def read_mesh(code: str) -> list[Statement]:
    """The statements of one MeSH code of the Indiana reports, as "Opacity/lung/middle lobe/right"."""
    parts = [part.strip().lower() for part in code.split("/")]
    head, tail = parts[0], "/".join(parts[1:])
    if head in ("no indexing", "technical quality of image unsatisfactory"):
        return []
    if head == "normal":
        return [Statement("normal_chest", AFFIRMED)]
    finding_id = next(
        (found for heads, words, found in MESH if re.fullmatch(heads, head) and re.search(words, tail)), None
    )
    if finding_id is None:
        entry = find_by_label(parts[0], "chest_xray")
        needs_word = head in ("aorta", "aorta, thoracic", "spine", "thoracic vertebrae", "diaphragm", "mediastinum", "shift",
                              "cardiac shadow", "lumbar vertebrae", "lymph nodes", "pleura", "sulcus")  # fmt: skip
        if entry is None or needs_word:
            return []
        finding_id = entry.id
    if not finding_id:
        return []
    entry = load_findings("chest_xray")[finding_id]
    words = " ".join(parts[1:])
    side, zone = (find_side(words), find_zone(words)) if entry.sided else (None, None)
    if side is None and entry.sided and ("lingula" in words or "middle lobe" in words):
        side = "left" if "lingula" in words else "right"
    return [Statement(finding_id, HEDGED if "borderline" in tail else AFFIRMED, side, zone)]


def _row_sentences(text: str, modality: str) -> list[str]:
    if modality == "fundus":  # keywords, comma by comma
        return [part[0].upper() + part[1:] + "." for part in (p.strip() for p in text.split(",")) if part]
    return split_sentences(clean_report(text))


def _describes_image(sentence: str, statements: list[Statement]) -> bool:
    """Whether a sentence of a clinical note speaks of the film: notes hold more history than findings."""
    if (
        re.search(r"(?i)\bCT\b|tomograph|ultraso|histor|admitted|\bMRI\b|biops|autops", sentence)
        or len(sentence) > 400
    ):
        return False
    told = {"pneumonia", "covid_pneumonia", "heart_failure", "copd", "tuberculosis", "ards", "lung_lesion"}
    seen = any(said.finding_id not in told for said in statements)
    return seen or bool(
        statements and re.search(r"(?i)x-?ray|radiograph|film|lobe|lung field|chest", sentence)
    )


def _mesh_codes(text: str) -> list[str]:
    try:
        codes = json.loads(text) if text.strip() else []
    except json.JSONDecodeError as error:
        raise DataError("The column mesh should hold a JSON list of MeSH codes.") from error
    return [str(code) for code in codes]


def _defined_by(said: Statement, modality: str) -> list[Statement]:
    """What an affirmed grade, diagnosis or normal statement says of other findings by its definition."""
    if said.status != AFFIRMED:
        return []
    if said.finding_id in NORMAL_DENIES:
        return [Statement(finding_id, DENIED) for finding_id in NORMAL_DENIES[said.finding_id]]
    expanded = [Statement(finding_id, status) for finding_id, status in DEFINED_BY.get(said.finding_id, ())]
    if modality == "histopathology":
        entry = load_findings(modality)[said.finding_id]
        if entry.family == "carcinoma" and entry.id != "necrotic_osteosarcoma":
            expanded.append(Statement("tumor_nuclei", AFFIRMED))
        elif entry.family in ("normal", "benign"):
            expanded.append(Statement("tumor_nuclei", DENIED))
    return expanded


def _reconcile(statements: list[Statement], modality: str) -> tuple[Statement, ...]:
    """`statements` and what they say by definition, without repetitions, contradictions and what a more specific one says."""
    entries = load_findings(modality)

    def pathology(status: str) -> set[str]:
        return {s.finding_id for s in statements if s.status == status and not entries[s.finding_id].normal}

    if modality == "chest_xray" and pathology(AFFIRMED) | pathology(HEDGED):
        statements = [said for said in statements if said.finding_id != "normal_chest"]
    statements = list(
        dict.fromkeys(each for said in statements for each in (said, *_defined_by(said, modality)))
    )
    certain = {said.finding_id for said in statements if said.status == AFFIRMED}
    open_ = {said.finding_id for said in statements if said.status == HEDGED} - certain
    implied = certain.union(open_, *(ancestors(finding_id, modality) for finding_id in certain))
    placed = {(said.finding_id, said.status) for said in statements if said.side}

    def holds(said: Statement) -> bool:
        if said.status == DENIED and said.finding_id in implied:
            return False
        if said.status == HEDGED and said.finding_id in certain:
            return False
        vague = said.side is None and said.zone is None
        return said.status == DENIED or not (vague and (said.finding_id, said.status) in placed)

    return tuple(filter(holds, statements))


