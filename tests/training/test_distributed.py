"""Two processes that share each batch have the losses and the weights of one that has all of it."""

import csv
import subprocess
import sys

import pytest
import torch

from tests.training.small import main, write_films

STEPS = 3  # a difference shows from the first step on


def logged(path):
    with path.open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_two_processes_train_as_one(tmp_path):
    table = write_films(tmp_path)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*torchrun, "-m", "tests.training.small", table, tmp_path / "two", STEPS]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([str(each) for each in command], **output) as two:
        main(table, tmp_path / "one", STEPS)  # meanwhile, in this process, which has imported everything
        printed = two.communicate()[0]
    assert two.returncode == 0, printed
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
