"""Uploaded sets share the room among clients."""

import httpx
import pytest

from afloc.errors import DataError
from afloc.web.security.rate_limits import client
from afloc.web.state.set_uploads import IN_USE_SECONDS, MOST_SETS, SetUploads
from tests.web.conftest import serve

TABLE = b"image,labels\n"


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def uploads(tmp_path, now):
    return SetUploads(tmp_path, 1000, clock=lambda: now[0])


def begin(uploads, owner, use=True):
    client.set(owner)
    key = uploads.add(TABLE, "set.csv")
    assert not use or uploads.table(key)
    return key


@pytest.mark.parametrize("content", [b"", b"x", TABLE])
def test_posts_that_nobody_follows_up_keep_nobody_out(tiny_folder, tmp_path, content):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path)) as url:
        for number in range(3 * MOST_SETS):
            name = {"name": f"{number}.csv"}
            assert httpx.post(f"{url}afloc/sets", params=name, content=content).status_code == 200
        assert httpx.post(f"{url}afloc/sets", content=content).status_code == 422  # a file without a name
        assert len(list((tmp_path / "uploads").glob("*/"))) == MOST_SETS


def test_who_has_most_makes_room(uploads):
    own = begin(uploads, "a ward")
    greedy = [begin(uploads, "somebody") for _ in range(MOST_SETS - 1)]
    new = [begin(uploads, "another") for _ in range(3)]
    assert uploads.folder(own) and all(map(uploads.folder, new))
    assert [uploads.folder(each) is not None for each in greedy] == [False] * 3 + [True] * 4
    with pytest.raises(DataError, match="in a few minutes"):
        begin(uploads, "another")  # a fourth beside four


def test_a_set_in_use_is_not_dropped_for_its_owners_next(uploads, now):
    sets = [begin(uploads, "a ward") for _ in range(MOST_SETS)]
    with pytest.raises(DataError, match="in a few minutes"):
        begin(uploads, "a ward")
    assert all(map(uploads.folder, sets))
    now[0] += IN_USE_SECONDS + 1
    assert uploads.folder(sets[0])
    begin(uploads, "a ward")
    assert uploads.folder(sets[0]) and uploads.folder(sets[1]) is None
