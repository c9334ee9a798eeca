"""What each reader reads, in which order and arm: a pure function of the study and the reader's name.

Orders come from sorting by SHA-256 of the study's seed, its id, the reader and the case, so that anyone can
work them out again, in any language and any year.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from afloc.errors import AccessError
from afloc.feedback.studies.study import Case, Study

UNAIDED, AIDED = "unaided", "aided"


@dataclass(frozen=True)
class Slot:
    """One step of a reader's sequence: the case, how it is read, and whether for the second time.

    `index` counts from 0 over the whole study, `period` is 1, or 2 after the wash-out.
    """

    index: int
    period: int
    case: Case
    arm: str
    repeat: int

    @property
    def key(self) -> tuple[int, str, str, int]:
        """What tells a reading from the reader's others."""
        return self.period, self.case.id, self.arm, self.repeat


def schedule(study: Study, reader: str) -> tuple[Slot, ...]:
    """A reader's sequence.

    Each period has an order of its own. The first `study.repeats` cases of it come a second time within its
    second half. In a crossover each reader reads each case once a period: in period 1 half of the cases
    unaided and half aided, every second reader the other way round, and in period 2 each case in the other
    arm. A reader added at the end of the list changes nobody's sequence. AccessError for somebody who is not
    a reader of the study.
    """
    if reader not in study.readers:
        raise AccessError("This reader is not in the study.")
    cases = {case.id: case for case in study.cases}
    first_half = set(_shuffle(study, cases, "arms")[: len(cases) // 2])
    other_way = list(study.readers).index(reader) % 2
    slots: list[Slot] = []
    for period in (1, 2) if study.design == "crossover" else (1,):
        for case_id, repeat in _order(study, cases, reader, period):
            if study.design == "crossover":
                aided = (case_id in first_half) ^ (period == 2) ^ other_way
                arms: tuple[str, ...] = (AIDED,) if aided else (UNAIDED,)
            else:
                arms = (UNAIDED, AIDED) if study.design == "unaided_then_aided" else (study.design,)
            for arm in arms:
                slots.append(Slot(len(slots), period, cases[case_id], arm, repeat))
    return tuple(slots)


def _order(study: Study, cases: Iterable[str], reader: str, period: int) -> list[tuple[str, int]]:
    """Case ids with 0, or 1 for the second time."""
    order = _shuffle(study, cases, f"{reader}/{period}")
    middle = len(order) // 2
    again = order[: study.repeats]
    late = {f"{case_id}/0": (case_id, 0) for case_id in order[middle:]}
    late |= {f"{case_id}/1": (case_id, 1) for case_id in again}
    mixed = _shuffle(study, late, f"{reader}/{period}/late")
    return [(case_id, 0) for case_id in order[:middle]] + [late[name] for name in mixed]


def _shuffle(study: Study, items: Iterable[str], purpose: str) -> list[str]:
    def key(item: str) -> bytes:
        return hashlib.sha256(f"{study.seed}/{study.id}/{purpose}/{item}".encode()).digest()

    return sorted(items, key=key)
