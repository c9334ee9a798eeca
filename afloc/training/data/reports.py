"""Reports and labels to text and statements: cleaned reports, their sentences, the statements of each row.

Statements come from the sentences of a report, from MeSH codes ("Opacity/lung/middle lobe/right") and from
the labels of sources without reports. A grade is expanded into the lesions that define it, so that the model
learns the names of lesions that no annotator marked.
"""

import json
import re
from dataclasses import dataclass

from afloc.errors import DataError
from afloc.language.findings import ancestors, find_by_label, load_findings
from afloc.language.modalities import MODALITIES
from afloc.language.places import find_side, find_zone
from afloc.language.statements import AFFIRMED, DENIED, HEDGED, Statement, read_statements
from afloc.training.data.report_rules import (
    ABBREVIATIONS,
    DEFINED_BY,
    MESH,
    MESH_BODY_PARTS,
    NEGATIVE_LABELS,
    NO_FINDING_SENTENCE,
    NORMAL_DENIES,
    NOT_OF_THE_FILM,
    TOKEN_FILLS,
)


@dataclass(frozen=True)
class RowText:
    """The text of one row of a table: its cleaned report, the sentences of that, and all statements."""

    report: str
    sentences: tuple[str, ...]
    statements: tuple[Statement, ...]


def clean_report(text: str) -> str:
    """`text` without de-identification tokens, point numbers, credits, ages and remarks on the film."""
    for pattern, words in ABBREVIATIONS:
        text = re.sub(pattern, words, text)
    kept = (_without_tokens(sentence) for sentence in split_sentences(text))
    return " ".join(sentence for sentence in kept if sentence and not NO_FINDING_SENTENCE.search(sentence))


def split_sentences(text: str) -> list[str]:
    """The sentences of `text`, each ending with a full stop; decimals and titles do not end one."""
    parts = re.split(r"(?<!\bDr)(?<!\bvs)(?<!\be\.g)(?<!\bi\.e)[.!?]+(?:\s+|$)|\s*\n+\s*|\s*;\s+", text)
    sentences = (re.sub(r"\s+", " ", part).strip(" .,;:-") for part in parts)
    return [_capital(sentence) + "." for sentence in sentences if re.search(r"[^\W\d_]{2}", sentence)]


def _without_tokens(sentence: str) -> str:
    """`sentence` without the token XXXX and the small words around it; empty where too little is left."""
    tokens = len(re.findall(r"\bX{3,}\b", sentence))
    if not tokens:
        return sentence
    if re.search(r"(?i)\bha(?:s|ve) X{3,}|^(?:the |visualized )*(?:X{3,} )+(?:is|are|appears?)\b", sentence):
        return ""  # its subject or its predicate is gone
    for pattern, words in TOKEN_FILLS:
        sentence = re.sub(pattern, words, sentence)
    sentence = re.sub(r"\s+(?=[.,;])", "", re.sub(r"\s+", " ", sentence)).strip(" ,")
    enough = len(re.findall(r"[^\W\d_]{3,}", sentence)) >= max(2, tokens)
    return _capital(sentence) if enough else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def read_row(row: dict[str, str], modality: str) -> RowText:
    """The text and statements of a row of a training table; a missing column counts as empty.

    Statements come from every sentence, and from the MeSH codes of the row or, without codes, from its
    labels. A finding that is affirmed anywhere in the row counts as affirmed, whatever is denied elsewhere.
    "Normal" counts only if no pathology is affirmed or suspected.

    Raises DataError where `mesh` is no JSON list.
    """
    sentences, statements = [], []
    reported = bool(row.get("findings") or row.get("impression"))
    parts = ("findings", "impression") if reported else ("text",)
    for sentence in (each for part in parts for each in _row_sentences(row.get(part) or "", modality)):
        stated = read_statements(sentence, modality)
        radiology = MODALITIES[modality].radiology_reports
        if radiology and not reported and not _describes_image(sentence, stated):
            continue
        sentences.append(sentence)
        statements += stated
    codes = _mesh_codes(row.get("mesh") or "")
    labels = [label.strip() for label in (row.get("labels") or "").split(";") if label.strip()]
    coded = [stated for code in codes for stated in read_mesh(code)]
    coded = coded or [stated for label in labels for stated in read_label(label, modality)]
    if not reported and any(stated.finding_id == "normal_chest" for stated in coded):
        sentences, statements = [], []  # the note of a normal film is about other films
    unique: dict[str, str] = {}
    for sentence in sentences:
        unique.setdefault(re.sub(r"\W+", " ", sentence.lower()).strip(), sentence)
    kept = tuple(unique.values())
    return RowText(" ".join(kept), kept, _reconcile([*statements, *coded], modality))


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
        if entry is None or head in MESH_BODY_PARTS:
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
    if MODALITIES[modality].keywords:
        return [_capital(part.strip()) + "." for part in text.split(",") if part.strip()]
    return split_sentences(clean_report(text))


def _describes_image(sentence: str, statements: list[Statement]) -> bool:
    """Whether a sentence of a clinical note is about the film: most of a note is the patient's history."""
    if len(sentence) > 400 or NOT_OF_THE_FILM.search(sentence):
        return False
    diagnoses = {
        "pneumonia",
        "covid_pneumonia",
        "heart_failure",
        "copd",
        "tuberculosis",
        "ards",
        "lung_lesion",
    }
    seen = any(stated.finding_id not in diagnoses for stated in statements)
    return seen or bool(
        statements and re.search(r"(?i)x-?ray|radiograph|film|lobe|lung field|chest", sentence)
    )


def _mesh_codes(text: str) -> list[str]:
    try:
        codes = json.loads(text) if text.strip() else []
    except json.JSONDecodeError as error:
        raise DataError("The column mesh should hold a JSON list of MeSH codes.") from error
    return [str(code) for code in codes]


def _defined_by(stated: Statement, modality: str) -> list[Statement]:
    """The statements about other findings that follow from an affirmed grade, diagnosis or "normal"."""
    if stated.status != AFFIRMED:
        return []
    if stated.finding_id in NORMAL_DENIES:
        return [Statement(finding_id, DENIED) for finding_id in NORMAL_DENIES[stated.finding_id]]
    expanded = [Statement(finding_id, status) for finding_id, status in DEFINED_BY.get(stated.finding_id, ())]
    entries = load_findings(modality)
    if "tumor_nuclei" in entries:
        entry = entries[stated.finding_id]
        if entry.family == "carcinoma" and entry.id != "necrotic_osteosarcoma":
            expanded.append(Statement("tumor_nuclei", AFFIRMED))
        elif entry.family in ("normal", "benign"):
            expanded.append(Statement("tumor_nuclei", DENIED))
    return expanded


def _reconcile(statements: list[Statement], modality: str) -> tuple[Statement, ...]:
    """`statements` and those that follow by definition, without contradictions, repeats and vaguer forms."""
    entries = load_findings(modality)

    def pathology(status: str) -> set[str]:
        return {s.finding_id for s in statements if s.status == status and not entries[s.finding_id].normal}

    if any(stated.finding_id == "normal_chest" for stated in statements):
        statements = [stated for stated in statements if stated.finding_id != "normal_chest"]
        if not pathology(AFFIRMED) | pathology(HEDGED):  # nothing acute, and nothing else stated: normal
            statements.append(Statement("normal_chest", AFFIRMED))
    direct = {stated.finding_id for stated in statements}
    defined = [each for stated in statements for each in _defined_by(stated, modality)]
    defined = [stated for stated in defined if stated.status != HEDGED or stated.finding_id not in direct]
    statements = list(dict.fromkeys([*statements, *defined]))
    certain = {stated.finding_id for stated in statements if stated.status == AFFIRMED}
    open_ = {stated.finding_id for stated in statements if stated.status == HEDGED} - certain
    implied = certain.union(open_, *(ancestors(finding_id, modality) for finding_id in certain))
    placed = {(stated.finding_id, stated.status) for stated in statements if stated.side}

    def holds(stated: Statement) -> bool:
        if stated.status == DENIED and stated.finding_id in implied:
            return False
        if stated.status == HEDGED and stated.finding_id in certain:
            return False
        vague = stated.side is None and stated.zone is None
        return stated.status == DENIED or not (vague and (stated.finding_id, stated.status) in placed)

    return tuple(filter(holds, statements))
