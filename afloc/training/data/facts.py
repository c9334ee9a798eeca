"""Facts about the findings of an image, and whether a description follows from them."""

import math
import re
from collections import defaultdict
from dataclasses import dataclass

from afloc.language.findings import ancestors
from afloc.language.places import OPPOSITE_SIDE
from afloc.language.statements import Statement

SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)
# Words that imply a side without naming it: such a sentence cannot be rewritten for a mirrored image.
SIDE_IN_OTHER_WORDS = re.compile(
    r"\b(?:[lr]|[lr]t|lingul\w+|middle lobe|azygos|dextro\w+|levo(?:scol|curv)\w+|(?:left|right)ward\w*)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Description:
    """A text and the statements that were read from it."""

    text: str
    statements: tuple[Statement, ...]

    @property
    def laterality_unclear(self) -> bool:
        """Whether the text names a side and some of its statements have none. If such a text is true of an
        image, it is unknown whether it is true of the mirrored one."""
        names_one = SIDE.search(self.text) or SIDE_IN_OTHER_WORDS.search(self.text)
        return bool(names_one) and any(s.side not in OPPOSITE_SIDE for s in self.statements)

    @property
    def localizable(self) -> bool:
        """Whether the text affirms findings that lie somewhere: it denies nothing, and none is "normal"."""
        return bool(self.statements) and all(
            s.status == "affirmed" and not s.finding_id.startswith("normal_") for s in self.statements
        )


@dataclass(frozen=True)
class Fact:
    """What a row states about one finding: `present` 1, 0 or NaN (unknown); the sides and zones it names."""

    present: float
    sides: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()


def facts_of(statements: tuple[Statement, ...], modality: str) -> dict[str, Fact]:
    """Facts per finding id. An affirmed statement beats a hedged one, a hedged one beats a denied one."""
    by_finding = defaultdict(list)
    for statement in statements:
        by_finding[statement.finding_id].append(statement)
        if statement.status != "denied":
            for ancestor in ancestors(statement.finding_id, modality):
                by_finding[ancestor].append(statement)
    facts = {}
    for finding, stated in by_finding.items():
        affirmed = [s for s in stated if s.status == "affirmed"]
        hedged = any(s.status == "hedged" for s in stated)
        present = 1.0 if affirmed else math.nan if hedged else 0.0
        sides = {s.side for s in affirmed if s.side}
        if "bilateral" in sides:
            sides |= {"left", "right"}
        facts[finding] = Fact(present, frozenset(sides), frozenset(s.zone for s in affirmed if s.zone))
    return facts


def entails(facts: dict[str, Fact], description: Description) -> float:
    """1 if the facts confirm every statement, 0 if they contradict one, NaN if neither is known."""
    verdicts = [entails_statement(facts, statement) for statement in description.statements]
    if not verdicts or (0.0 not in verdicts and any(math.isnan(v) for v in verdicts)):
        return math.nan
    return 0.0 if 0.0 in verdicts else 1.0


def entails_statement(facts: dict[str, Fact], statement: Statement) -> float:
    """The same for one statement."""
    fact = facts.get(statement.finding_id)
    if fact is None or math.isnan(fact.present) or statement.status == "hedged":
        return math.nan
    if fact.present == 0:
        return 1.0 if statement.status == "denied" else 0.0
    location = agrees_on_location(fact, statement)
    if statement.status == "affirmed":
        return location
    return 0.0 if location == 1 else math.nan


def agrees_on_location(fact: Fact, statement: Statement) -> float:
    """Whether the side and zone of a statement agree with those the facts name; NaN if they name none."""
    verdicts = [1.0]
    if statement.side:
        wanted = {"left", "right"} if statement.side == "bilateral" else {statement.side}
        verdicts.append(float(wanted <= fact.sides) if fact.sides else math.nan)
    if statement.zone:
        verdicts.append(float(statement.zone in fact.zones) if fact.zones else math.nan)
    return 0.0 if 0.0 in verdicts else math.nan if any(math.isnan(v) for v in verdicts) else 1.0
