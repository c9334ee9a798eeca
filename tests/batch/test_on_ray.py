"""The same run with two workers of Ray, one of which is killed in the middle."""

import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from afloc import load_model
from afloc.batch.on_ray import run_on_ray
from afloc.errors import DataError
from afloc.evaluation.comparison import open_measuring
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.evaluation.plan import Plan
from afloc.evaluation.run import Measuring, evaluate
from tests.evaluation.sets import write_set

pytest.importorskip("ray", reason="Ray is not installed")


@dataclass(frozen=True)
class Deadly(Measuring):
    """Kills its process in the middle of the third part that anybody finishes."""

    def finish(self, part, images):
        super().finish(part, images)
        done = [path for path in self.parts.iterdir() if path.name.isdigit()]
        if len(done) >= 3 and not (self.folder / "killed").exists():
            (self.folder / "killed").write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)


def open_deadly(*arguments) -> Deadly:
    work = open_measuring(*arguments)
    return Deadly(work.plan, work.folder)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return read_dataset(write_set(tmp_path_factory.mktemp("set")))


def on_ray(dataset, model: Path, folder: Path, opened=open_measuring, workers=2) -> dict:
    asked = ("native", "simple", None)
    open_work = partial(opened, dataset, str(model), "cpu", asked, folder)
    engine = partial(run_on_ray, open_work=open_work, workers=workers, gpu=False)
    return evaluate(Plan(dataset, load_model(model, "cpu"), *asked), folder, engine=engine)


def test_two_workers_one_killed_the_same_summary(dataset, small_folder, tmp_path):
    plan = Plan(dataset, load_model(small_folder, "cpu"))
    plain = evaluate(plan, tmp_path / "plain")
    assert on_ray(dataset, small_folder, tmp_path / "ray", open_deadly) == plain
    assert (tmp_path / "ray" / "killed").exists()
    plain, ray = ((tmp_path / name / "summary.json").read_bytes() for name in ("plain", "ray"))
    assert plain == ray


def test_what_a_worker_refuses_is_one_sentence(small_folder, tmp_path):
    table = write_set(tmp_path / "set", images=2)
    dataset = read_dataset(table)
    (table.parent / dataset.rows[1].name).write_bytes(b"no image any more")
    with pytest.raises(DataError, match="row 3, column image"):
        on_ray(dataset, small_folder, tmp_path / "o", workers=1)
