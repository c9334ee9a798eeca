"""The same run on Ray, also where a worker is killed in the middle."""

import os
import signal
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from PIL import Image

from afloc import load_model
from afloc.batch.on_ray import run_on_ray
from afloc.errors import DataError
from afloc.evaluation.comparison import open_evaluation
from afloc.evaluation.config import EvaluationConfig
from afloc.evaluation.datasets.dataset import read_dataset
from afloc.evaluation.run import EvaluationJob, evaluate
from tests.batch.refusing import Dying, Refusing
from tests.evaluation.sets import write_set

pytest.importorskip("ray", reason="Ray is not installed")


@dataclass(frozen=True)
class Deadly(EvaluationJob):
    """Kills its process in the middle of the third chunk that anybody finishes."""

    def finish(self, chunk, images):
        super().finish(chunk, images)
        done = [path for path in (self.folder / "parts").iterdir() if path.name.isdigit()]
        if len(done) >= 3 and not (self.folder / "killed").exists():
            (self.folder / "killed").write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)


def open_deadly(*arguments) -> Deadly:
    job = open_evaluation(*arguments)
    return Deadly(job.config, job.folder)


def test_on_ray_the_same_summary(small_folder, tmp_path, long):
    """By one worker; `--long`: by two, one of which is killed and started again. Each loads the model, which
    takes seconds."""
    dataset, model = read_dataset(write_set(tmp_path / "set", images=6)), load_model(small_folder, "cpu")
    query = ("native", "simple", None)
    config = EvaluationConfig(dataset, model, *query)
    plain = evaluate(config, tmp_path / "plain")
    folder = tmp_path / "ray"
    opening = open_deadly if long else open_evaluation
    open_job = partial(opening, dataset, str(small_folder), "cpu", query, folder)
    runner = partial(run_on_ray, open_job=open_job, workers=1 + long, gpu=False)
    assert evaluate(config, folder, runner=runner) == plain
    assert (folder / "killed").exists() == long
    files = [(tmp_path / name / "summary.json").read_bytes() for name in ("plain", "ray")]
    assert files[0] == files[1]


def test_what_a_killed_worker_had_begun_is_done_by_the_next(tmp_path):
    images = tuple(tmp_path / f"{number}.png" for number in range(4))
    for path in images:
        Image.fromarray(np.zeros((20, 20), np.uint8)).save(path)
    run_on_ray(Dying(images), [*range(4)], open_job=partial(Dying, images), workers=2, gpu=False)
    assert (tmp_path / "killed").exists()
    assert all(path.with_suffix(".done").exists() for path in images)


def test_what_a_worker_refuses_is_one_sentence(tmp_path):
    images = tmp_path / "good.png", tmp_path / "bad.png"
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(images[0])
    images[1].write_bytes(b"no image any more")
    job = Refusing(images)
    run_on_ray(job, [0], open_job=partial(Refusing, images), workers=1, gpu=False)
    assert images[0].with_suffix(".done").exists()
    with pytest.raises(DataError, match="bad.png: This is not an image"):
        run_on_ray(job, [1], open_job=partial(Refusing, images), workers=1, gpu=False)
