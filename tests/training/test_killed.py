"""A training that is killed at any moment, again and again, ends with the weights of one that was not."""

import csv
import random

import pytest
import torch

from afloc.training.stages import loop
from tests import loaded
from tests.training.small import main, write_films


def train_saving_each_step(table, folder, steps):
    loop.CHECKPOINT_SECONDS = 0
    main(table, folder, steps)


def steps_done(folder) -> int:
    """The steps of both stages that the logs name."""
    return sum(
        sum(1 for _ in csv.reader(path.open(newline=""))) - 1
        for path in folder.glob("*/log.csv")
        if path.stat().st_size
    )


def test_killed_at_random_points_it_ends_with_the_same_weights(tmp_path, long):
    if not long:
        pytest.skip("a dozen processes, each with PyTorch: with --long")
    kills, steps, rng = 10, 12, random.Random(3)
    table = write_films(tmp_path)
    whole = loaded.start(train_saving_each_step, table, tmp_path / "whole", steps)
    points = sorted(rng.sample(range(2 * steps), kills))
    for point in points:
        process = loaded.start(train_saving_each_step, table, tmp_path / "killed", steps)
        while process.is_alive() and steps_done(tmp_path / "killed") < point:
            process.join(0.01)
        process.join(rng.random() / 10)  # somewhere in a step, or in the writing of a checkpoint
        process.kill()
        process.join()
    loaded.run(train_saving_each_step, table, tmp_path / "killed", steps)
    whole.join()
    assert whole.exitcode == 0
    for stage in ("language", "images"):
        one, other = (torch.load(tmp_path / name / stage / "checkpoint.pt") for name in ("whole", "killed"))
        assert one["step"] == other["step"] == steps
        for part in ("modules", "average"):
            for name, value in one[part].items():
                assert torch.equal(value, other[part][name]), f"{stage}: {name}"
