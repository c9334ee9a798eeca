"""Statements to sentences: many ways to say that a finding is there, is not, or may be, and where.

What is written here, `afloc.language.statements` reads back.
"""

import random
import re
import tomllib
from collections import defaultdict

from afloc.language.findings import FOLDER, FindingEntry, load_findings, of_lists
from afloc.language.statements import AFFIRMED, DENIED, HEDGED, Statement

HEDGED_FORMS = (
    "Possible {}",
    "Questionable {}",
    "Suspected {}",
    "Findings may represent {}",
    "Equivocal for {}",
    "{} is possible",
    "{} cannot be excluded",
)
DENIED_FORMS = (
    "No {}",
    "No evidence of {}",
    "Without {}",
    "There is no {}",
    "Negative for {}",
    "No sign of {}",
    "Free of {}",
    "Absence of {}",
    "{} is absent",
    "{} is not seen",
    "No {} is identified",
    "Resolution of {}",
    "No radiographic features of {}",
)
AFFIRMED_FORMS = (
    "{}",
    "{}",
    "Presence of {}",
    "Evidence of {}",
    "Findings suggesting {}",
    "{} noted",
    "Stable {}",
    "There is {}",
    "{} is seen",
    "{} is present",
    "Features of {}",
    "Appearances consistent with {}",
    "Obvious {}",
    "Extensive {}",
    "Persistent {}",
    "Interval development of {}",
)

# How one writes in a hurry: each is the same as what it stands for.
SHORTHAND = (
    (r"\bright\b", ("rt", "R", "right-sided", "right sided")),
    (r"\bleft\b", ("lt", "L", "left-sided", "left sided")),
    (r"\bbilateral\b", ("both-sided", "b/l", "two-sided")),
    (r"\bno evidence of\b", ("no signs of", "no e/o", "without evidence of")),
    (r"\bwithout\b", ("w/o", "with no")),
    (r"\bno\b", ("no definite", "no visible", "no obvious")),
    (r"\bthere is\b", ("one sees", "the image shows", "note is made of")),
    (r"\bis present\b", ("can be seen", "is visible", "is shown")),
    (r"\bupper lobe\b", ("upper zone", "upper third")),
    (r"\blower lobe\b", ("lower zone", "lower third")),
)
# Where a zone is, as the lists of findings do not say it; for the text encoder alone, like the free wordings.
ZONE_WORDS = {
    "upper": (
        "at the top of the {}lung",
        "in the upper part of the {}lung",
        "below the {}clavicle",
        "{}apical",
    ),
    "middle": ("halfway up the {}lung", "at the height of the {}hilum", "in the central third of the {}lung"),
    "lower": (
        "just above the {}diaphragm",
        "at the bottom of the {}lung",
        "low down in the {}lung",
        "{}basal",
    ),
}
NAMES_PLACE = re.compile(
    r"\b(?:bas(?:e|es|al|ilar)|apex|apices|apical|upper|lower|middle|mid|lobe|lobar|top|bottom|behind|below|above"
    r"|diaphragm\w*|retrocardiac|costophrenic|sinus|fissure|hil(?:um|ar|a))\b",
    re.IGNORECASE,
)
ARTICLES = re.compile(r"\b(?:the|a|an) ", re.IGNORECASE)


def sentence_for(statement: Statement, modality: str, rng: random.Random) -> str:
    """One natural sentence that says `statement`, drawn from many phrasings."""
    entry = load_findings(modality)[statement.finding_id]
    term = str(rng.choice(entry.terms))
    place = _place_words(statement, entry, rng)
    forms: tuple[str, ...]
    if statement.status == HEDGED:
        forms = HEDGED_FORMS
    elif place:
        forms = DENIED_FORMS if statement.status == DENIED else AFFIRMED_FORMS
    elif statement.status == DENIED:
        forms = entry.denied if entry.normal else (*entry.denied, *entry.denied, *DENIED_FORMS)
    elif rng.random() < 0.1:
        return entry.precise
    else:
        forms = (*entry.affirmed, *entry.affirmed, entry.simple, *([] if entry.normal else AFFIRMED_FORMS))
    return _sentence(str(rng.choice(forms)).format(_placed(term, place, rng)))


@of_lists
def load_wordings(modality: str) -> dict[Statement, tuple[str, ...]]:
    """Free wordings of statements, from assets/findings/wordings: what no template says.

    They are many people's ways to say that a finding is there, is not, or is on one side; the text encoder
    learns from them, the reader of reports does not know them. A modality may have none.
    """
    path = FOLDER / "wordings" / f"{modality}.toml"
    tables = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    wordings: defaultdict[Statement, list[str]] = defaultdict(list)
    for finding, ways in tables.items():
        for status in (AFFIRMED, DENIED):
            wordings[Statement(finding, status)] += ways[status]
        for side in ("left", "right"):
            wordings[Statement(finding, AFFIRMED, side)] += [
                text.format(side=side) for text in ways.get("sided", ())
            ]
    return {statement: tuple(texts) for statement, texts in wordings.items()}


def placed_wording(statement: Statement, modality: str, rng: random.Random) -> str | None:
    """A free wording of an affirmed finding with the zone, and the side if there is one, in words of their
    own; None where the statement has no zone or the finding no free wordings
    that leave the place open."""
    free = load_wordings(modality).get(Statement(statement.finding_id, AFFIRMED), ())
    ways = [text for text in free if not NAMES_PLACE.search(text)]
    if statement.status != AFFIRMED or statement.zone is None or not ways:
        return None
    side = "" if statement.side in (None, "bilateral") else f"{statement.side} "
    place = rng.choice(ZONE_WORDS[statement.zone]).format(side)
    if statement.side == "bilateral":
        place += ", both sides"
    return f"{rng.choice(ways).rstrip('.')}, {place}."


def in_a_hurry(sentence: str, rng: random.Random) -> str:
    """The same sentence as someone might type it: shorthand, no capitals, no articles, no full stop."""
    for pattern, words in SHORTHAND:
        if rng.random() < 0.35:
            sentence = re.sub(pattern, rng.choice(words), sentence, count=1, flags=re.IGNORECASE)
    if rng.random() < 0.3:
        sentence = ARTICLES.sub("", sentence)
    if rng.random() < 0.5:
        sentence = sentence.rstrip(".")
    return sentence


def _place_words(statement: Statement, entry: FindingEntry, rng: random.Random) -> tuple[str, str] | None:
    """Place as words before ("left basal") and after ("in the left lower zone") a term, or None."""
    side, zone = (statement.side, statement.zone) if entry.sided else (None, None)
    if zone is None:
        if side is None:
            return None
        if side == "bilateral":
            return "bilateral", rng.choice(["on both sides", "bilaterally", "on the left and on the right"])
        where = ["on the {}", "on the {} side"]
        if entry.family in ("airspace", "nodule", "interstitial"):
            where += ["in the {} lung", "in the {} lung field"]
        return rng.choice([side, side, f"{side}-sided"]), rng.choice(where).format(side)
    lobe = {"upper": "upper lobe", "middle": "mid zone", "lower": "lower lobe"}[zone]
    if zone == "middle" and side == "right":
        lobe = "middle lobe"
    word = {"upper": "apex", "middle": "midlung", "lower": "base"}[zone]
    if entry.family == "pleura":
        lobe = {"upper": "upper hemithorax", "middle": "mid hemithorax", "lower": "lower hemithorax"}[zone]
    area = rng.choice([lobe, f"{'mid' if zone == 'middle' else zone} zone", word])
    several = {"apex": "apices", "base": "bases"}.get(area, f"{area}s")
    adjectives = {"upper": ["upper zone", "apical"], "lower": ["lower zone", "basilar", "basal"]}
    adjective = rng.choice(adjectives.get(zone, ["mid zone"]))
    if side == "bilateral":
        return f"bilateral {adjective}", f"in both {several}"
    if side is None:
        return adjective, f"in the {area}"
    return f"{side} {adjective}", f"{'at' if area in ('apex', 'base') else 'in'} the {side} {area}"


def _placed(term: str, place: tuple[str, str] | None, rng: random.Random) -> str:
    if place is None:
        return term
    before, after = place
    return f"{before} {term}" if rng.random() < 0.5 else f"{term} {after}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "."
