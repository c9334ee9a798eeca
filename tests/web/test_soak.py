"""Many at once for a long time; `python -m tests.web.soak` for longer."""

import pytest

from tests.web import soak


def test_three_minutes_of_forty_sessions_kills_and_floods(tiny_folder, long):
    if not long:
        pytest.skip("takes minutes: --long")
    assert soak.main(["--minutes", "3", "--kills", "4", "--model", str(tiny_folder)]) == 0
