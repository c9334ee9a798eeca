"""Two processes of the page, one Postgres, a real nginx: one is killed while eight clients answer."""

import signal
import threading
import time
import uuid
from collections import defaultdict

import httpx
import pytest
from gradio_client import Client, handle_file

from afloc.imaging.examples import EXAMPLES
from tests.feedback.postgres import running_postgres
from tests.web.replicas import running_proxy, running_replicas
from tests.web.tabs.test_probe import to_png

CLIENTS = 8
TRIES = 100  # of one answer; a replica that dies takes a few
SECONDS, LONG_SECONDS = 600, 3600  # then it hangs


@pytest.fixture(scope="module")
def database():
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="module")
def replicas(database, tiny_folder, tmp_path_factory):
    with running_replicas(tmp_path_factory.mktemp("replicas"), tiny_folder, database) as started:
        yield started


@pytest.fixture(scope="module")
def proxy(replicas, tmp_path_factory):
    """Its address, and its log of who went where."""
    folder = tmp_path_factory.mktemp("nginx")
    with running_proxy(folder, [port for _, port in replicas]) as url:
        yield url, folder / "who"


def test_a_page_stays_with_its_replica(proxy):
    """The first answer sets the cookie; the same cookie leads to the same replica, others elsewhere."""
    url, _ = proxy
    with httpx.Client() as browser:
        cookie = browser.get(url).cookies["afloc_replica"]
        assert len(cookie) == 32 and "set-cookie" not in browser.get(url).headers
    told = {}
    for number in range(12):
        with httpx.Client(cookies={"afloc_replica": f"page {number}"}) as browser:
            seen = {browser.get(f"{url}config").json()["app_id"] for _ in range(3)}
            assert len(seen) == 1, "one page, one replica"
            told[number] = seen.pop()
    assert len(set(told.values())) == 2


def test_one_killed_loses_and_doubles_nothing(proxy, replicas, database, tmp_path, long):
    url, log = proxy
    film = tmp_path / "film.png"
    film.write_bytes(to_png(EXAMPLES[0].load().gray()))
    each, saved, tries = (250 if long else 4), [], defaultdict(int)
    half, errors, limit = threading.Event(), [], LONG_SECONDS if long else SECONDS

    def answer(number):
        try:
            answer_all(number)
        except Exception as error:
            errors.append(error)
            half.set()  # nobody needs to wait

    def answer_all(number):
        client = None
        for name in [str(uuid.uuid4()) for _ in range(each)]:
            while True:
                tries[name] += 1
                try:
                    headers = {"Cookie": f"afloc_replica=client-{number}"}
                    client = client or Client(url, verbose=False, headers=headers)
                    client.predict(handle_file(film), "effusion", "yes", id=name, api_name="/feedback")
                    break
                except Exception:  # the replica was killed: the same answer again, to the other
                    client = None
                    if tries[name] == TRIES:
                        raise
            saved.append(name)
            if len(saved) >= CLIENTS * each // 2:
                half.set()

    clients = [threading.Thread(target=answer, args=(number,), daemon=True) for number in range(CLIENTS)]
    start = time.perf_counter()
    for each_client in clients:
        each_client.start()
    assert half.wait(limit) and not errors, errors
    before = log.read_text().splitlines()
    replicas[0][0].send_signal(signal.SIGKILL)
    for each_client in clients:
        each_client.join(limit)
        assert not each_client.is_alive() and not errors, errors
    seconds = time.perf_counter() - start

    import psycopg

    with psycopg.connect(database) as connection:
        kept = [name for (name,) in connection.execute("SELECT id FROM afloc_events")]
        (last,) = connection.execute("SELECT max(place) FROM afloc_events").fetchone()
    assert len(kept) == len(set(kept)) == last == CLIENTS * each
    assert set(kept) == set(saved)
    homes = defaultdict(set)
    for line in before:
        cookie, home = line.split(" ", 1)
        homes[cookie].add(home)
    mine = [homes[f"client-{number}"] for number in range(CLIENTS)]
    assert all(len(home) == 1 for home in mine) and len(set.union(*mine)) == 2
    again = sum(count > 1 for count in tries.values())
    print(f"{len(saved)} answers in {seconds:.0f} s, {again} of them sent again")
