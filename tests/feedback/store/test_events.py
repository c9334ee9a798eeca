import pytest

from afloc.errors import StoreError
from afloc.feedback.store.events import COLUMNS, Event
from tests.feedback.store.rows import full_event


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "opinion"},
        {"comment": "x" * 20_001},
        {"comment": 7},
        {"visible_ms": -1},
        {"image_width": 2**40},
        {"replaces": "no id"},
        {"answers": {"a": float("nan")}},
        {"answers": {"a": object()}},
        {"regions": [{"box": [0, 0, 0, 5]}]},
        {"regions": [{"outline": [[0, 0], [1, 1]]}]},
        {"regions": "box"},
        {"regions": [{}]},
        {"regions": [{"box": [0, 0, 1, 1], "outline": 5}]},
        {"regions": [{"outline": [[0, 0], [1, 0], [0, 1]], "box": None}]},
        {"regions": [{"box": [0, 0, 1e308, 1]}]},
        {"regions": [{"box": [0, 0, 10**400, 1]}]},
        {"regions": [{"outline": [[0, 0], [-1e308, 0], [0, 1]]}]},
        {"regions": [{"outline": [[0, 0], [float("nan"), 0], [0, 1]]}]},
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(fields):
    with pytest.raises(StoreError, match=r"^[^.]+\.$"):
        Event(**{"kind": "feedback"} | fields)


def test_of_a_region_the_box_or_the_outline_is_kept():
    box, outline = {"box": [0.5, -3, 1_000_000, 1]}, {"outline": [[0, 0], [10, 0], [5, 8.25]]}
    event = Event("feedback", regions=[box | {"label": "x"}, outline | {"id": 7}])
    assert event.regions == [box, outline]


def test_every_column_has_a_meaning():
    assert all(column.meaning.endswith(".") for column in COLUMNS)
    assert {column.name for column in COLUMNS} == {"seq", *vars(full_event())}
