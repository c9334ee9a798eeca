import dataclasses

import pytest

from afloc.feedback.studies.schedule import TRAINING, schedule
from afloc.feedback.studies.study import Case


@pytest.fixture
def large(demo):
    """3 readers, 40 cases, crossover."""
    cases = tuple(Case(f"c{n}", "example:retina", f"finding {n}", "fundus") for n in range(40))
    return dataclasses.replace(demo, cases=cases, repeats=5)


def test_the_order_is_the_reader_s_own_and_never_changes(large):
    """The first cases of each reader, written down: a study under way must not change under its readers."""
    firsts = {
        reader: [(slot.case.id, slot.arm) for slot in schedule(large, reader)[:3]] for reader in large.readers
    }
    assert firsts == {
        "R1": [("c1", "unaided"), ("c18", "unaided"), ("c34", "unaided")],
        "R2": [("c25", "unaided"), ("c0", "unaided"), ("c19", "unaided")],
        "R3": [("c3", "aided"), ("c35", "aided"), ("c5", "unaided")],
    }
    longer = dataclasses.replace(large, readers={**large.readers, "R4": "x"})
    assert all(schedule(longer, reader) == schedule(large, reader) for reader in large.readers)


def test_a_crossover_is_balanced(large):
    arms = {}
    for reader in large.readers:
        slots = schedule(large, reader)
        assert [slot.index for slot in slots] == list(range(90))
        for period in (1, 2):
            mine = [slot for slot in slots if slot.period == period]
            first = [slot for slot in mine if not slot.repeat]
            assert sorted(slot.case.id for slot in first) == sorted(case.id for case in large.cases)
            assert sum(slot.arm == "aided" for slot in first) == 20
            again = [slot for slot in mine if slot.repeat]
            assert len(again) == 5
            for slot in again:
                earlier = next(each for each in first if each.case == slot.case)
                assert earlier.arm == slot.arm and slot.index - earlier.index >= 15
            arms |= {(reader, period, slot.case.id): slot.arm for slot in first}
    for reader in large.readers:
        assert all(arms[reader, 1, case.id] != arms[reader, 2, case.id] for case in large.cases)
    assert all(arms["R1", 1, case.id] != arms["R2", 1, case.id] for case in large.cases)


@pytest.mark.parametrize(
    "design, arms", [("unaided", ["unaided"]), ("unaided_then_aided", ["unaided", "aided"])]
)
def test_other_designs(demo, design, arms):
    slots = schedule(dataclasses.replace(demo, design=design, repeats=0), "R1")
    assert [slot.arm for slot in slots] == arms * 8
    assert all(slot.period == 1 for slot in slots)
    if len(arms) == 2:
        assert all(slots[n].case == slots[n + 1].case for n in range(0, 16, 2))


def test_training_comes_first_in_the_order_of_the_file_and_changes_no_other_place(demo):
    plain = schedule(demo, "R2")
    practice = tuple(Case(f"t{n}", "example:retina", "optic disc") for n in (2, 1))
    study = dataclasses.replace(demo, training=practice)
    slots = schedule(study, "R2")
    first, rest = slots[:4], slots[4:]
    assert [(slot.case.id, slot.arm) for slot in first] == [
        *(("t2", "unaided"), ("t2", "aided")),
        *(("t1", "unaided"), ("t1", "aided")),
    ]
    assert {slot.period for slot in first} == {TRAINING}
    assert [slot.index for slot in slots] == [*range(len(slots))]
    assert [slot.key for slot in rest] == [slot.key for slot in plain]
    assert study.version != demo.version
    alone = schedule(dataclasses.replace(study, design="aided", washout_days=0), "R1")
    assert [(slot.case.id, slot.arm) for slot in alone[:2]] == [("t2", "aided"), ("t1", "aided")]


def test_rotating_blocks_go_round_and_everybody_reads_the_anchors(demo):
    cases = [
        dataclasses.replace(case, block=("", "A", "B", "C")[n // 2]) for n, case in enumerate(demo.cases)
    ]
    study = dataclasses.replace(
        demo, cases=tuple(cases), blocks_each=2, repeats=0, readers={f"R{n}": "" for n in range(6)}
    )
    read = {name: {slot.case.id for slot in schedule(study, name)} for name in study.readers}
    anchors, a, b, c = ({case.id for case in cases[first : first + 2]} for first in (0, 2, 4, 6))
    assert [read[f"R{n}"] for n in range(3)] == [anchors | a | b, anchors | b | c, anchors | c | a]
    assert [read[f"R{n}"] for n in range(3, 6)] == [read[f"R{n}"] for n in range(3)]
    for name in study.readers:  # each arm once, and half of each block in either arm in the first period
        slots = schedule(study, name)
        assert len({slot.key[1:] for slot in slots}) == len(slots) == 2 * len(read[name])
        aided = [slot.case.block for slot in slots if slot.period == 1 and slot.arm == "aided"]
        assert sorted(aided) == sorted({slot.case.block for slot in slots})
