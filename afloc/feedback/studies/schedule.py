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
TRAINING = 0  # the period of the cases that come first and do not count


@dataclass(frozen=True)
class Slot:
    """One step of a reader's sequence: the case, how it is read, and whether for the second time.

    `index` counts from 0 over the whole study, `period` is 1, or 2 after the wash-out, or TRAINING.
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
    """A reader's sequence: the training cases in the order of the file, then those that count.

    Each period has an order of its own. The first `study.repeats` cases of it come a second time within its
    second half. In a crossover each reader reads each case once a period: in period 1 half of the cases
    unaided and half aided, every second reader the other way round, and in period 2 each case in the other
    arm. Of rotating blocks the first reader has the first `study.blocks_each`, the second as many from the
    second on, and so on, over and over. A reader added at the end of the list changes nobody's sequence.
    AccessError for somebody who is not a reader of the study.
    """
    if reader not in study.readers:
        raise AccessError("This reader is not in the study.")
    place = list(study.readers).index(reader)
    slots = [Slot(index, TRAINING, case, arm, 0) for index, (case, arm) in enumerate(training_slots(study))]
    cases = {case.id: case for case in cases_of(study, place)}
    first_half = _first_half(study)
    for period in (1, 2) if study.design == "crossover" else (1,):
        for case_id, repeat in _order(study, cases, reader, period):
            if study.design == "crossover":
                aided = (case_id in first_half) ^ (period == 2) ^ place % 2
                arms: tuple[str, ...] = (AIDED,) if aided else (UNAIDED,)
            else:
                arms = (UNAIDED, AIDED) if study.design == "unaided_then_aided" else (study.design,)
            for arm in arms:
                slots.append(Slot(len(slots), period, cases[case_id], arm, repeat))
    return tuple(slots)


def training_slots(study: Study) -> list[tuple[Case, str]]:
    """The training cases, each in every arm that the design has, unaided first."""
    arms = (study.design,) if study.design in (UNAIDED, AIDED) else (UNAIDED, AIDED)
    return [(case, arm) for case in study.training for arm in arms]


def cases_of(study: Study, place: int) -> tuple[Case, ...]:
    """The cases that count of the reader at this place of the list, from 0: the anchors and their blocks."""
    blocks = block_names(study.cases)
    own = {blocks[(place + n) % len(blocks)] for n in range(min(study.blocks_each, len(blocks)))}
    return tuple(case for case in study.cases if not case.block or case.block in own)


def block_names(cases: Iterable[Case]) -> tuple[str, ...]:
    """The rotating blocks, in the order of the file."""
    return tuple(dict.fromkeys(case.block for case in cases if case.block))


def _first_half(study: Study) -> set[str]:
    """The cases that every first reader of a crossover reads aided in period 1: half of each block."""
    found: set[str] = set()
    for block in ("", *block_names(study.cases)):
        ids = [case.id for case in study.cases if case.block == block]
        found.update(_shuffle(study, ids, "arms")[: len(ids) // 2])
    return found


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
