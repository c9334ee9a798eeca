"""Two processes that share each batch have the losses and the weights of one that has all of it."""

import csv
import socket

import pytest
import torch

from tests import loaded
from tests.training.small import main, write_films

STEPS = 3  # a difference shows from the first step on


def logged(path):
    with path.open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_two_processes_train_as_one(tmp_path):
    """They have the variables that torchrun would give them."""
    table = write_films(tmp_path)
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    both = [loaded.start(main, table, tmp_path / "two", STEPS, **own, RANK=rank) for rank in "01"]
    main(table, tmp_path / "one", STEPS)  # meanwhile, in this process
    for each in both:
        each.join()
    assert [each.exitcode for each in both] == [0, 0]
    for stage in ("language", "images"):
        one, two = (logged(tmp_path / name / stage / "log.csv") for name in ("one", "two"))
        assert len(one) == len(two) == STEPS
        for mine, theirs in zip(one, two, strict=True):
            assert theirs == pytest.approx(mine, abs=1e-5)
        assert abs(one[0]["total"] - one[-1]["total"]) > 1e-3  # it trains
        one, two = (
            torch.load(tmp_path / name / stage / "checkpoint.pt")["modules"] for name in ("one", "two")
        )
        for key, value in one.items():
            torch.testing.assert_close(two[key], value, atol=1e-5, rtol=1e-5, msg=f"{stage}: {key}")
