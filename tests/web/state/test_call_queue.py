"""The queue of the named endpoints: floods, answers that nobody fetches, an error in its loop."""

import asyncio
import json
import subprocess
from collections import Counter
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from starlette.testclient import TestClient

from afloc.settings import read_settings
from afloc.web.page import build_site
from afloc.web.state import call_queue
from afloc.web.state.call_queue import CLIENT, EVERYBODY, LONGEST_SESSION, SESSION
from tests.web.conftest import serve
from tests.web.routes.test_health import figures, running_app
from tests.web.tabs.test_probe import a_film, to_png

KINDS = {"call": CLIENT.calls, "join": CLIENT.calls, "one session": SESSION.calls}


class Visitor:
    """A client of the named endpoints that has sent an image; `http`: its connection."""

    def __init__(self, http):
        self.http = http

    async def start(self):
        sent = await self.http.post("/gradio_api/upload", files={"files": ("film.png", to_png(a_film()))})
        self.image = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        endpoints = (await self.http.get("/config")).json()["dependencies"]
        self.locate = next(each["id"] for each in endpoints if each["api_name"] == "locate")
        return self

    async def ask(self, text, kind="call", **more):
        said = {"data": [self.image, text]} | more
        if kind == "call":
            return await self.http.post("/gradio_api/call/locate", json=said)
        session = "one" if kind == "one session" else f"session of {text}"
        said |= {"fn_index": self.locate, "session_hash": session} | more
        return await self.http.post("/gradio_api/queue/join", json=said)

    async def fetch(self, asked):
        return await self.http.get(f"/gradio_api/call/locate/{asked.json()['event_id']}")

    async def healthy(self):
        return (await self.http.get("/health")).status_code == 200


def answer_of(fetched):
    assert "event: complete" in fetched.text, fetched.text
    return json.loads(fetched.text.split("event: complete\ndata: ")[1])[0]


def run(site, check):
    """`check`, a coroutine function, in the event loop of the running site; it gets a function that makes
    visitors from their address."""
    with TestClient(site.app) as runner:

        async def visitor(address):
            transport = httpx.ASGITransport(site.app, client=(address, 1))
            http = httpx.AsyncClient(transport=transport, base_url="http://x", timeout=60)
            return await Visitor(http).start()

        runner.portal.call(check, visitor)


@pytest.fixture
def site(tiny_folder, tmp_path):
    return build_site(read_settings({"AFLOC_MODEL": str(tiny_folder), "AFLOC_DATA_DIR": str(tmp_path)}))


@pytest.fixture
def queue(site):
    return site.page._queue


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_is_refused_and_service_goes_on(site, queue, kind):
    allowed = KINDS[kind]

    async def check(visitor):
        flood, other = await visitor("192.0.2.1"), await visitor("192.0.2.2")
        async with queue.delete_lock:  # no call is answered in here
            asked = [await flood.ask(f"finding {number}", kind) for number in range(allowed + 20)]
            assert Counter(each.status_code for each in asked) == {200: allowed, 429: 20}
            refused = asked[-1].json()["error"]
            assert refused == f"{allowed} of your calls are not answered yet; " + (
                "please wait for an answer, then try again."
            )
            assert await flood.healthy()
            elsewhere = await other.ask("elsewhere")
        assert answer_of(await other.fetch(elsewhere))["text"] == "elsewhere"
        assert await flood.healthy()
        while queue.under_way:
            await asyncio.sleep(0.01)
        messages = sum(each.qsize() for each in queue.pending_messages_per_session.values())
        assert messages == allowed  # not one for each place that each of them moved up
        assert answer_of(await flood.fetch(await flood.ask("afterwards")))["text"] == "afterwards"
        if kind == "call":  # late, but in time
            assert answer_of(await flood.fetch(asked[0]))["text"] == "finding 0"

    run(site, check)


def test_many_clients_together_are_bounded(site, queue, monkeypatch):
    monkeypatch.setattr(call_queue, "EVERYBODY", call_queue.Bound(8, EVERYBODY.size))

    async def check(visitor):
        visitors = [await visitor(f"192.0.2.{number}") for number in range(10)]
        async with queue.delete_lock:
            asked = [await each.ask("finding") for each in visitors]
        assert [each.status_code for each in asked] == [200] * 8 + [503] * 2
        assert asked[-1].json() == {"error": "The server is busy; please try again in a minute."}
        for each, one in list(zip(visitors, asked, strict=True))[:8]:
            assert answer_of(await each.fetch(one))["text"] == "finding"

    run(site, check)


def test_clients_take_turns(site, queue):
    async def check(visitor):
        one, two, three = [await visitor(f"192.0.2.{number}") for number in range(3)]
        async with queue.delete_lock:
            for who, text in ((one, "a1 a2 a3"), (two, "b1"), (three, "c1 c2")):
                for each in text.split():
                    assert (await who.ask(each)).status_code == 200
            texts = [event.data.data[1] for event in queue.event_queue_per_concurrency_id["model"].queue]
        assert texts == ["a1", "b1", "c1", "a2", "c2", "a3"]

    run(site, check)


def test_calls_are_small(site, queue):
    async def check(visitor):
        client = await visitor("192.0.2.1")
        assert (await client.ask("x" * (1 << 20))).status_code == 413
        async with queue.delete_lock:
            asked = [await client.ask("x" * (900 << 10)) for _ in range(3)]
        assert [each.status_code for each in asked] == [200, 200, 429]  # together, they are not
        asked = await client.ask("text", "join", session_hash="x" * (LONGEST_SESSION + 1))
        assert asked.status_code == 400 and asked.json()["error"].endswith("characters.")

    run(site, check)


def test_answers_that_nobody_fetches_go_after_a_while(site, queue, monkeypatch):
    async def check(visitor):
        client, other = await visitor("192.0.2.1"), await visitor("192.0.2.2")
        asked = [await client.ask(f"finding {number}") for number in range(4)]
        others = await other.ask("finding")
        while queue.under_way:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(call_queue, "MOST_ANSWERS", 3)
        queue.sweep()
        gone = await client.fetch(asked[0])  # the oldest
        assert (gone.status_code, gone.json()) == (404, {"error": call_queue.NO_ANSWER})
        assert answer_of(await client.fetch(asked[1]))["text"] == "finding 1"
        assert (await client.fetch(asked[1])).status_code == 404  # given
        monkeypatch.setattr(call_queue, "ANSWER_SECONDS", 0)
        async with queue.delete_lock:
            waiting = await client.ask("still under way")
            queue.sweep()
        assert answer_of(await client.fetch(waiting))["text"] == "still under way"
        while queue.under_way:
            await asyncio.sleep(0.01)
        queue.sweep()
        assert {(await client.fetch(each)).status_code for each in (*asked, waiting, others)} == {404}
        held = queue.pending_messages_per_session, queue.pending_event_ids_session, queue.event_ids_to_events
        assert not any(held) and not queue._calls

    run(site, check)


def test_clients_that_go_away_do_not_stop_the_queue(site, queue):
    async def check(visitor):
        client = await visitor("192.0.2.1")
        async with queue.delete_lock:
            asked = [await client.ask(f"finding {number}") for number in range(20)]
            fetching = [asyncio.create_task(client.fetch(each)) for each in asked]
            while any(each.qsize() for each in queue.pending_messages_per_session.values()):
                await asyncio.sleep(0)
            for each in fetching[::2]:
                each.cancel()
            while len(queue.pending_messages_per_session) > 10:
                await asyncio.sleep(0)
        async with asyncio.timeout(60):
            for each in await asyncio.gather(*fetching[1::2]):
                assert "event: complete" in each.text
        assert answer_of(await client.fetch(await client.ask("afterwards")))["text"] == "afterwards"

    run(site, check)


def test_the_queue_goes_on_after_an_error(site, queue, monkeypatch, caplog):
    monkeypatch.setattr(call_queue, "RESTART_SECONDS", 0)

    async def check(visitor):
        client = await visitor("192.0.2.1")
        async with queue.delete_lock:
            asked = await client.ask("before")
            queue.event_queue_per_concurrency_id["broken"] = None
        async with asyncio.timeout(20):
            while await client.healthy():
                pass
        said = (await client.http.get("/health")).json()
        assert (said["status"], said["calls"]) == ("failing", "not answered")
        del queue.event_queue_per_concurrency_id["broken"]
        async with asyncio.timeout(20):
            while not await client.healthy():
                pass
        assert answer_of(await client.fetch(asked))["text"] == "before"
        assert answer_of(await client.fetch(await client.ask("after")))["text"] == "after"

    run(site, check)
    assert "AttributeError in queueing.py" in caplog.text


def test_gradio_client_asks_as_much_at_once_as_it_can(tiny_folder, tmp_path):
    film = tmp_path / "film.png"
    film.write_bytes(to_png(a_film()))
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "data")) as url:
        session = Client(url, verbose=False, httpx_kwargs={"timeout": 60})
        texts = [f"finding {number}" for number in range(44)]  # it runs 40
        jobs = [session.submit(handle_file(film), text, api_name="/locate") for text in texts]
        assert [job.result()["text"] for job in jobs] == texts
        assert figures(url)["afloc_calls_under_way"] == 0


def memory_of(process):
    """MB that a process holds."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@pytest.mark.long
@pytest.mark.parametrize("kind, number", [("call", 2600), ("one session", 3000), ("join", 3000)])
def test_a_long_flood_leaves_no_memory_behind(model_folder, tmp_path, kind, number):
    """Over HTTP, with the real model; nobody fetches or listens."""

    async def check(process, url):
        async with httpx.AsyncClient(base_url=url, timeout=120) as http:
            client = await Visitor(http).start()
            answer_of(await client.fetch(await client.ask("before")))
            before = memory_of(process)
            left, seen, health = iter(range(number)), Counter(), Counter()

            async def flood():
                for each in left:
                    seen[(await client.ask(f"finding {each}", kind)).status_code] += 1
                    if each % 50 == 0:
                        health[await client.healthy()] += 1
                        await client.start()  # what was sent is kept for about two minutes

            await asyncio.gather(*(flood() for _ in range(16)))
            most = memory_of(process) - before
            await client.start()
            while (asked := await client.ask("afterwards")).status_code == 429:
                await asyncio.sleep(0.1)
            assert answer_of(await client.fetch(asked))["text"] == "afterwards"
            last = memory_of(process) - before
            print(f"\n{number} by {kind}: {dict(seen)}, healthy: {dict(health)}")
            print(f"grown by {most:.0f} MB, {last:.0f} MB when the last is answered")
            assert health.keys() == {True} and await client.healthy()
            assert max(most, last) < 400

    environment = {"AFLOC_MODEL": str(model_folder), "AFLOC_DATA_DIR": str(tmp_path)}
    with running_app(subprocess.DEVNULL, **environment) as (process, url):
        asyncio.run(check(process, url))
