"""Many at once for a long time; `python -m tests.web.soak` for longer."""

import pytest

from tests.web import soak


@pytest.mark.long
def test_three_minutes_of_forty_sessions_kills_and_floods(tiny_folder):
    assert soak.main(["--minutes", "3", "--kills", "4", "--model", str(tiny_folder)]) == 0
