"""From a description, as it was read, to the answer: what it says of which finding, and whether that holds
in this image."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from afloc.inference.bare_findings import BareFinding, BareFindings
from afloc.inference.finding import Asked, AskedStatement, Performance, Side
from afloc.inference.performance import performance_of
from afloc.inference.sides import BOTH, compare_sides, seen_side
from afloc.language.findings import load_findings
from afloc.language.reading import Reading
from afloc.language.statements import AFFIRMED, DENIED, HEDGED, NORMAL_STATUS, STRUCTURE, Statement
from afloc.model.calibration import Calibration


@dataclass(frozen=True)
class Answer:
    """The part of a `Finding` that is judged; its fields have the same names there."""

    asked: Asked
    probability: float | None = None
    present: bool | None = None
    operating_point: float | None = None
    holds: bool | None = None
    side: Side | None = None
    performance: Performance | None = None
    flagged: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """One statement. `found`: its bare finding, where that is judged."""

    statement: AskedStatement
    found: BareFinding | None = None
    side: Side | None = None
    flagged: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


class Judge:
    """Answers descriptions of one image.

    `bare`: the findings in the image; None where nothing is judged, as of an image in doubt. `lay_on_image`:
    a map of the square that the encoder saw as one of the image, the patient's right on its left side.
    """

    def __init__(
        self,
        modality: str,
        calibration: Calibration,
        bare: BareFindings | None,
        lay_on_image: Callable[[np.ndarray], np.ndarray],
    ):
        self._entries = load_findings(modality)
        self._calibration = calibration
        self._bare = bare
        self._lay_on_image = lay_on_image

    def answer(self, reading: Reading) -> Answer:
        """Every statement of a description judged, and all of them together."""
        everything = [self._judge(each) for each in reading.statements]
        judged = everything[reading.statements.index(reading.main)]
        main, found = judged.statement, judged.found
        statements = tuple(each.statement for each in everything)
        return Answer(
            Asked(main.status, main.finding, main.name, main.side, main.zones, main.hedged, statements),
            main.probability,
            main.present,
            None if found is None else found.point.threshold,
            all_hold(each.holds for each in statements),
            judged.side,
            self._performance(main),
            judged.flagged,
            tuple(dict.fromkeys(caution for each in everything for caution in each.cautions)),
        )

    def _judge(self, said: Statement) -> Judged:
        asked = self._ask(said)
        if asked.status == NORMAL_STATUS:
            return self._judge_normality(asked)
        if asked.finding is None or asked.status not in (AFFIRMED, DENIED):
            return Judged(asked, cautions=self._cautions(asked, None, None))
        found = None if self._bare is None else self._bare.find(asked.finding)
        sided = asked.side is not None and self._entries[asked.finding].sided
        side = compare_sides(asked.side, self._seen_side(found)) if sided and asked.side else None
        if found is not None:
            asked = replace(
                asked,
                probability=found.probability,
                present=found.present,
                holds=statement_holds(asked.status, found.present, side),
            )
        return Judged(asked, found, side, cautions=self._cautions(asked, found, side))

    def _ask(self, said: Statement) -> AskedStatement:
        return AskedStatement(
            AFFIRMED if said.status == HEDGED else said.status,
            said.finding_id or None,
            self._entries[said.finding_id].name if said.finding_id else None,
            BOTH if said.side == "bilateral" else said.side,
            said.zones or ((said.zone,) if said.zone else ()),
            said.status == HEDGED,
        )

    def _judge_normality(self, asked: AskedStatement) -> Judged:
        normality = self._calibration.normality
        if self._bare is None or normality is None:
            return Judged(asked)
        found = self._bare.find_all(normality.findings)
        against = [each for each in found if each.excess >= normality.threshold]
        against.sort(key=lambda each: -each.excess)
        return Judged(replace(asked, holds=not against), flagged=tuple(each.entry.name for each in against))

    def _seen_side(self, found: BareFinding | None) -> str | None:
        """Where the finding is seen; None unless it is present and its side is judged and decided."""
        if found is None or not found.present or self._bare is None:
            return None
        margin = (self._calibration.side_margins or {}).get(found.entry.id)
        return None if margin is None else seen_side(self._lay_on_image(self._bare.map(found)), margin)

    def _performance(self, main: AskedStatement) -> Performance | None:
        if main.status == NORMAL_STATUS:
            normality = self._calibration.normality
            return performance_of(None if normality is None else normality.performance)
        return performance_of((self._calibration.performance or {}).get(main.finding or ""))

    def _cautions(
        self, asked: AskedStatement, found: BareFinding | None, side: Side | None
    ) -> tuple[str, ...]:
        if asked.finding is None:
            return ()
        said = []
        if asked.finding in self._calibration.unreliable_maps:
            left = "" if asked.status == STRUCTURE else ": read the verdict only"
            said.append(f"This model's maps of {asked.name} do not find the place{left}.")
        if (
            side is not None
            and self._bare is not None
            and asked.finding not in (self._calibration.side_margins or {})
        ):
            said.append(
                f"The side is not checked: this model does not reliably find the side of {asked.name}."
            )
        elif side is not None and found is not None and found.present and side.seen is None:
            said.append(f"The side is not decided: the map of {asked.name} lies on both sides.")
        performance = self._performance(asked)
        if found is not None and performance is not None and not performance.reliable:
            said.append(
                f"This model does not judge {asked.name} reliably: of {performance.n_present} images with it "
                f"that were held back from training, it flagged {performance.sensitivity:.0%}."
            )
        return tuple(said)


def statement_holds(status: str, present: bool, side: Side | None) -> bool | None:
    """Whether a statement on a finding holds. One that affirms: where the finding is present, on the side
    that was named if one was; one that denies: where it is not, or is seen on the other side only. None where
    that side is not decided."""
    if not present or side is None:
        return present if status == AFFIRMED else not present
    if status == DENIED and side.named == BOTH:
        return False
    if side.agrees is None:
        return None
    return side.agrees if status == AFFIRMED else not side.agrees


def all_hold(verdicts: Iterable[bool | None]) -> bool | None:
    """Of several statements: False if one does not hold, else True if one was judged, else None."""
    judged = [each for each in verdicts if each is not None]
    return all(judged) if judged else None
