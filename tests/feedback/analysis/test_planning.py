import numpy as np
import pytest

from afloc.cli.main import main
from afloc.errors import DataError
from afloc.feedback.analysis.mrmc.power import power
from afloc.feedback.analysis.planning import READERS, guess, of_study, plan
from tests.feedback.analysis.test_results import read_by


def test_a_plan_from_a_pilot_study(study):
    random = np.random.default_rng(3)
    rating = lambda reader, case, truth, arm: int(np.clip(round(random.normal(2.4 + 1.4 * truth, 1)), 1, 5))  # noqa: E731
    found = of_study(*read_by(study, 4, 40, rating))
    assert found.cases == 40 and found.error > abs(found.cov1)
    table = plan(found, 0.1, cases=100)
    assert table["readers"].tolist() == list(READERS) and table["power"].is_monotonic_increasing
    needed = table.dropna().iloc[-1]
    assert power(found, int(needed["readers"]), int(needed["cases_needed"]), 0.1) >= 0.8
    assert power(found, int(needed["readers"]), int(needed["cases_needed"]) - 1, 0.1) < 0.8
    with pytest.raises(DataError, match="no pilot"):
        of_study(*read_by(study, 1, 40, rating))


@pytest.mark.parametrize(
    "wrong", [{"area": 1.2}, {"area": 0.8, "positive": 0}, {"area": 0.8, "reader_range": -1}]
)
def test_what_cannot_be_planned_is_refused(wrong):
    with pytest.raises(DataError, match="lies between"):
        guess(**wrong)
    with pytest.raises(DataError, match="lies between"):
        plan(guess(0.85), 0)


def test_the_command(capsys):
    assert main(["study", "power", "--difference", "0.06", "--cases", "200"]) == 0
    text = capsys.readouterr().out
    assert "cases_needed" in text and "power of 0.8 to find a difference of 0.06" in text
