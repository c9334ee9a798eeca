import pytest

from afloc.feedback.studies.study_file import FOLDER, read_study


@pytest.fixture(scope="session")
def demo():
    """The study that comes with AFLoc: 3 readers, 8 cases, crossover with 2 repeats."""
    return read_study(FOLDER / "demo.toml")
