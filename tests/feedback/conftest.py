"""A store with a simulated study: 3 readers, 12 cases, crossover with repeats, and some feedback."""

import dataclasses
import random
import shutil
import uuid

import pytest

from afloc.feedback.store.events import Event
from afloc.feedback.store.store import Store
from afloc.feedback.studies import readings
from afloc.feedback.studies.study import Case
from afloc.feedback.studies.study_file import FOLDER, read_study
from afloc.imaging.regions import Box
from tests.feedback.postgres import running_postgres

HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@x",
    "\tx",
    "\rx",
    "'=1",
    "''",
    'a,"b"\r\nc',
    "ü😀",
    "[1]",
    "\x00",
]


@pytest.fixture(scope="session")
def postgres():
    """The URL of a real Postgres of the tests' own."""
    with running_postgres() as url:
        yield url


@pytest.fixture
def url(postgres):
    """The URL of an empty database in it."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["tmp_path", "url"])
def location(request):
    """Where a `Store` can be: a folder, or a database."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def study():
    demo = read_study(FOLDER / "demo.toml")
    box = Box(100.0, 100.0, 200.0, 100.0)
    cases = tuple(
        Case(f"c{n}", "example:retina", ("exudates", "optic disc")[n % 2], "fundus", n < 6, (box,) * (n < 6))
        for n in range(12)
    )
    return dataclasses.replace(demo, id="simulated", cases=cases, repeats=3)


@pytest.fixture(scope="session")
def filled_folder(study, make_once, tmp_path_factory):
    """A folder of this process's own, as a database is open in one process."""
    filled = make_once("filled", lambda folder: fill(folder, study))
    return shutil.copytree(filled, tmp_path_factory.mktemp("filled") / "data")


def fill(folder, study):
    chance = random.Random(0)
    with Store(folder) as store:
        for reader in study.readers:
            readings.give_consent(store, study, reader, "s")
            while slot := readings.next_slot(store, study, reader):
                rating = min(5, max(1, round(chance.gauss(4 if slot.case.truth else 2, 1))))
                box = {"box": [100 + chance.randrange(20), 100, 200, 90.5]}
                readings.save_reading(
                    store,
                    study,
                    reader,
                    slot.index,
                    {"sure": rating, "remark": chance.choice(HOSTILE)},
                    [box] if slot.case.truth else [],
                    comment=chance.choice(HOSTILE),
                    visible_ms=chance.randrange(5000, 9000) * (1 if slot.arm == "aided" else 2),
                    model_regions=[{"box": [110, 100, 200, 100], "score": 0.7}],
                    model="afloc-mini 1",
                    image_digest=f"{slot.case.id:0>64}",
                    image_width=1411,
                    image_height=1411,
                )
        for number, text in enumerate(HOSTILE):
            outline = [[0, 0], [10, 0], [5.5, 9.25]]
            answers = {"agreement": ("yes", "partly", "elsewhere", "absent")[number % 4]}
            saved = store.record(
                Event(
                    "feedback",
                    description="effusion " + text,
                    comment=text,
                    answers=answers,
                    score=-0.5 + number / 7,
                    present=bool(number % 2),
                    there=("yes", "no", "unsure")[number % 3],
                    place="partly" if number % 3 == 0 else None,
                    asked={"status": "affirmed", "name": text},
                    holds=bool(number % 2),
                    side={"named": "left", "seen": None, "agrees": None},
                    doubt=("none", "unusual")[number % 2],
                    regions=[{"outline": outline}],
                    image_digest="f" * 64,
                    image_width=100,
                    image_height=50,
                )
            )
        store.record(Event("withdrawal", replaces=saved.id))


@pytest.fixture
def filled(filled_folder):
    with Store(filled_folder) as store:
        yield store
