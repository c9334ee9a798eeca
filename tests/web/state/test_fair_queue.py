"""The queue before the model is fair: every order of arrival is played through, without a clock."""

import random
import threading
from itertools import count

import pytest

from afloc.web.errors import RefusedError
from afloc.web.security.rate_limits import client
from afloc.web.state.fair_queue import MOST_OF_A_CLIENT, MOST_WAITING, FairQueue, Superseded


class Line:
    """Questions that arrive one by one while the model is busy, and the order they are answered in."""

    def __init__(self):
        self.queue, self.answered, self.superseded, self._threads = FairQueue(), [], [], []
        self._client = ""
        self._free = threading.Event()
        self._ask(lambda: self.queue.turn("busy"), lambda: self._free.wait())

    def ask(self, session, live=False, of=""):
        self._client = of
        name, before = (session, len(self._threads)), self.queue.waiting + len(self.superseded)
        self._ask(lambda: self.queue.turn(session, live), lambda: self.answered.append(name), name)
        while self.queue.waiting + len(self.superseded) == before:
            pass
        return name

    def _ask(self, turn, answer, name=None):
        started = threading.Event()

        def run(of=self._client):
            client.set(of)
            try:
                with turn():
                    started.set()
                    answer()
            except Superseded:
                self.superseded.append(name)

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()
        if name is None:
            started.wait()

    def finish(self):
        self._free.set()
        for thread in self._threads:
            thread.join()
        return [session for session, _ in self.answered]


def test_sessions_take_turns_however_much_one_of_them_asks():
    line = Line()
    for session in "aaaaabbc":
        line.ask(session)
    assert "".join(line.finish()) == "abcabaaa"


@pytest.mark.parametrize("seed", range(5))
def test_nobody_waits_for_more_than_one_question_of_each_other_session(seed):
    arrivals = random.Random(seed).choices("abcdef", weights=[9, 5, 3, 1, 1, 1], k=40)
    line = Line()
    for session in arrivals:
        line.ask(session)
    order = line.finish()
    assert sorted(order) == sorted(arrivals)
    for session in set(arrivals):
        places = [-1, *(place for place, other in enumerate(order) if other == session)]
        for before, after in zip(places, places[1:], strict=False):
            between = order[before + 1 : after]
            assert len(between) == len(set(between))


def test_clients_take_turns_however_many_images_one_of_them_has_open():
    line = Line()
    for number in range(50):
        line.ask(f"scan {number}", of="192.0.2.1")
    line.ask("first", of="192.0.2.2")
    line.ask("second", of="192.0.2.2")
    line.ask("third", of="192.0.2.3")
    order = line.finish()
    assert order[:6] == ["scan 0", "first", "third", "scan 1", "second", "scan 2"] and len(order) == 53


def test_one_client_and_all_together_may_have_so_many_waiting():
    line = Line()
    for number in range(MOST_OF_A_CLIENT):
        line.ask(number, of="192.0.2.1", live=True)
    client.set("192.0.2.1")
    with (
        pytest.raises(RefusedError, match="Too many of your questions") as refused,
        line.queue.turn("a scan"),
    ):
        raise AssertionError("one too many")
    assert refused.value.status == 429
    line.ask(0, of="192.0.2.1", live=True)  # takes the place of its older one
    for number in range(MOST_WAITING - MOST_OF_A_CLIENT):
        line.ask(number, of="192.0.2.2")
    client.set("192.0.2.3")
    with pytest.raises(RefusedError, match="busy") as refused, line.queue.turn("a scan"):
        raise AssertionError("one too many")
    assert refused.value.status == 503
    assert len(line.finish()) == MOST_WAITING and len(line.superseded) == 1


def test_of_what_a_session_types_the_newest_waits_in_the_place_of_the_older():
    line = Line()
    first = line.ask("a", live=True)
    line.ask("b", live=True)
    scan = line.ask("a")
    newest = line.ask("a", live=True)
    assert line.finish() == ["a", "b", "a"]
    assert line.superseded == [first] and [each for each in line.answered if each[0] == "a"] == [newest, scan]


def test_who_fails_gives_the_turn_away():
    queue = FairQueue()
    with pytest.raises(ZeroDivisionError), queue.turn("a"):
        _ = 1 / 0
    with queue.turn("b"):
        assert queue.waiting == 0


def test_only_one_question_is_with_the_model():
    queue, inside, most = FairQueue(), [], []
    numbers = count()

    def ask():
        for _ in range(50):
            with queue.turn(next(numbers) % 3):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 300 and max(most) == 1
