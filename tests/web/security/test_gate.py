"""What gets through the gate, over real connections."""

import asyncio
import json
import os
import socket
import stat
import tempfile
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError, AuthenticationError
from playwright.sync_api import expect
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from afloc.errors import AccessError, SettingsError
from afloc.files import private_folder, temporary_folder
from afloc.passwords import check_hash, hash_password, matches
from afloc.settings import read_settings
from afloc.web.errors import TooManyError
from afloc.web.page import SENT, UPLOADS, WORK, sweep
from afloc.web.security.body_limits import BODIES_AT_ONCE
from afloc.web.security.gate import Gate
from afloc.web.security.open_routes import find_route
from afloc.web.security.rate_limits import (
    BURST,
    MOST_CLIENTS,
    Bucket,
    Limit,
    client,
    name_client,
)
from afloc.web.state.locked_folders import lock_folder
from tests.web.conftest import serve
from tests.web.nginx import free_port, running_nginx
from tests.web.tabs.test_probe import a_film, to_png

ROOT = Path(__file__).parents[3]
PASSWORD = "correct horse battery"
EVERYWHERE = (
    *("/", "/config", "/theme.css", "/favicon.ico", "/static/img/logo.svg", "/assets/x.js", "/svelte/x"),
    *("/gradio_api/info", "/gradio_api/startup-events", "/gradio_api/queue/data?session_hash=a"),
    *("/gradio_api/heartbeat/a", "/gradio_api/call/locate/a", "/gradio_api/file=/etc/hostname"),
    *(
        "/gradio_api/upload",
        "/gradio_api/component_server",
        "/gradio_api/queue/join",
        "/gradio_api/run/locate",
    ),
    *("/afloc/images", "/afloc/runs/summary.json", "/afloc/plotly.js", "/afloc/export", "/afloc/study"),
    "/afloc/page/0123456789abcdef/viewer/viewer.js",
    *(
        "/monitoring",
        "/gradio_api/app_id",
        "/gradio_api/openapi.json",
        "/nowhere",
        "/docs",
        "/logout",
        "/login",
    ),
)


@pytest.fixture(scope="module")
def url(tiny_folder, tmp_path_factory):
    with serve(
        tiny_folder, AFLOC_DATA_DIR=str(tmp_path_factory.mktemp("data")), AFLOC_MAX_UPLOAD_MB="1"
    ) as url:
        yield url


@pytest.fixture(scope="module")
def locked(tiny_folder, tmp_path_factory):
    data = str(tmp_path_factory.mktemp("locked"))
    with serve(tiny_folder, AFLOC_DATA_DIR=data, AFLOC_PASSWORD=hash_password(PASSWORD)) as url:
        yield url


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "Doe_Jane.png"
    path.write_bytes(to_png(a_film()))
    return path


def is_clean(answer):
    """Neither a path of the server nor a trace of its code."""
    leaks = ("Traceback", 'File "', "site-packages", "/tmp/", str(Path(__file__).parents[3]))
    return not any(leak in answer.text for leak in leaks)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_every_answer_carries_the_headers_and_no_trace(url, method):
    with httpx.Client(base_url=url) as browser:
        for path in EVERYWHERE:
            headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
            with browser.stream(method, path, headers=headers) as answer:
                policy = answer.headers["content-security-policy"]
                assert "default-src 'none'" in policy and "frame-ancestors 'self'" in policy
                assert "unsafe-inline" not in policy.split("style-src")[0]
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["referrer-policy"] == "no-referrer"
                assert "camera=()" in answer.headers["permissions-policy"]
                assert "access-control-allow-origin" not in answer.headers
                assert "server" not in answer.headers
                if "heartbeat" not in path and answer.headers["content-type"] == "application/json":
                    answer.read()
                    assert is_clean(answer), path


def test_only_hugging_face_may_frame_a_space():
    async def app(scope, receive, send):
        raise RuntimeError("never seen")

    for framed in (False, True):
        headers = TestClient(Gate(app, 1, (9, 9), framed=framed)).get("/").headers
        assert ("https://huggingface.co https://*.hf.space" in headers["content-security-policy"]) is framed
        assert ("x-frame-options" in headers) is not framed


def test_an_error_nobody_expected_is_one_sentence_and_its_message_stays_out_of_the_log(caplog):
    async def app(scope, receive, send):
        raise RuntimeError("Doe^Jane in /srv/films")

    answer = TestClient(Gate(app, 1, (9, 9))).get("/")
    assert answer.status_code == 500 and answer.json()["error"].endswith(".")
    assert is_clean(answer) and "Doe" not in answer.text + caplog.text
    assert "RuntimeError in test_gate.py" in caplog.text


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/hostname",
        "gradio_api/file=http://127.0.0.1:1/",
        "gradio_api/file/etc/hostname",
        "gradio_api/proxy=http://127.0.0.1:1/",
        "gradio_api/proxy=https://x.hf.space/",
        "gradio_api/stream/a/b/c/playlist.m3u8",
        "gradio_api/deep_link?session_hash=a",
        "gradio_api/dev/reload",
        "gradio_api/token",
        "gradio_api/runs",
        "gradio_api/api/locate",
        "gradio_api/vibe-code",
        "gradio_api/custom_component/x/client/component/index.js",
        "monitoring/summary",
        "static/%2e%2e/%2e%2e/routes.py",
        "assets/..%2f..%2f..%2froutes.py",
        "assets//etc/hostname",
        "svelte/%2e%2e/index.html",
        "afloc/images/%2e%2e/%2e%2e/config",
        "afloc/runs/..%2f..%2fsettings.py?set=x&style=simple",
    ],
)
def test_what_the_page_does_not_need_is_closed(url, path):
    for method in ("GET", "POST"):
        answer = httpx.request(method, url + path)
        assert answer.status_code in (403, 404, 405), path
        assert is_clean(answer) and socket.gethostname() not in answer.text


def test_an_upload_cannot_be_fetched_again_not_even_by_its_sender(url, film):
    (path,) = httpx.post(f"{url}gradio_api/upload", files={"files": film.open("rb")}).json()
    assert Path(path).is_file() and stat.S_IMODE(Path(path).parents[1].stat().st_mode) == 0o700
    for way in (f"file={path}", f"file/{path}", f"file=%2e%2e{path}"):
        assert httpx.get(f"{url}gradio_api/{way}").status_code == 404


def call(url, name, data):
    """The events of a named endpoint, as raw as they come."""
    joined = httpx.post(f"{url}gradio_api/call/{name}", json={"data": data})
    if joined.status_code != 200:
        return joined
    return httpx.get(f"{url}gradio_api/call/{name}/{joined.json()['event_id']}")


WHERE = {"meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    "data",
    [
        [{"path": "/etc/hostname", **WHERE}, "edema"],
        [{"path": "../../etc/hostname", **WHERE}, "edema"],
        [{"path": None, **WHERE}, "edema"],
        [{"path": ["x"]}, "edema"],
        [None, None],
        [[], {}],
        [17, True],
        ["Doe^Jane"],
        ["Doe^Jane"] * 5,
        [],
    ],
)
def test_wrong_values_get_one_sentence(url, data, capfd):
    answer = call(url, "locate", data)
    said = answer.text.split("data: ")[1]
    sentence = json.loads(said)["error"]
    assert sentence.endswith(".") and "\n" not in sentence and "Doe" not in sentence and is_clean(answer)
    assert "Doe" not in "".join(capfd.readouterr())


def test_wrong_types_of_a_description_and_of_feedback_get_one_sentence(url, film):
    session = Client(url, verbose=False)
    for arguments in ((17,), ({"a": 1},), (["x"],), (None,), ("",), ("x" * 100_000,)):
        with pytest.raises(AppError, match=r"^(?!Something went wrong)[^\n]+\.$"):
            session.predict(handle_file(film), *arguments, api_name="/locate")
    for arguments in (
        ("edema", 3),
        ("edema", "yes", "very"),
        ("edema", "yes", 3, 7),
        ("edema", "yes", 3, "", "x"),
    ):
        with pytest.raises(AppError, match=r"^(?!Something went wrong)[^\n]+\.$"):
            session.predict(handle_file(film), "edema", *arguments, api_name="/feedback")


def test_no_address_a_client_names_is_fetched(url):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        address = f"http://127.0.0.1:{trap.getsockname()[1]}/film.png"
        for image in ({"path": address, **WHERE}, {"path": "x", "url": address, **WHERE}, address):
            assert "handle_file" in call(url, "locate", [image, "edema"]).text
            assert "handle_file" in call(url, "locate", [image, {"path": address, **WHERE}]).text
        with pytest.raises(TimeoutError):
            trap.accept()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[]",
        b'{"data": {}, "component_id": 99999, "session_hash": "a", "fn_name": "locate"}',
        b'{"data": {}, "component_id": "__class__", "session_hash": "a", "fn_name": "__init__"}',
        b'{"data": {}, "component_id": 1, "session_hash": "a", "fn_name": "get_config"}',
    ],
)
def test_only_the_functions_of_the_page_can_be_called(url, body):
    answer = httpx.post(f"{url}gradio_api/component_server", content=body)
    assert answer.status_code >= 400 and is_clean(answer)


def send_raw(url, request, *parts):
    """The status line of an answer to bytes sent as they are, without waiting for what is left to send."""
    host, port = httpx.URL(url).host, httpx.URL(url).port
    with socket.create_connection((host, port), timeout=20) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        for part in parts:
            connection.sendall(part)
        return connection.recv(200).decode()


def test_a_question_brings_no_file(url):
    answer = httpx.post(f"{url}gradio_api/component_server/", files={"file": ("film.png", b"x")})
    assert answer.status_code == 415 and answer.json()["error"] == "Questions are sent as JSON."


@pytest.mark.parametrize("path", ["afloc/images", "gradio_api/upload", "gradio_api/component_server"])
def test_a_body_too_large_is_refused_before_it_is_read(url, path):
    head = f"POST /{path} HTTP/1.1\nHost: x\nContent-Type: multipart/form-data; boundary=x"
    assert " 413 " in send_raw(url, f"{head}\nContent-Length: {2 << 20}")
    chunk = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    refused = send_raw(url, f"{head}\nTransfer-Encoding: chunked", *[chunk] * 17).split()[1]
    assert refused in ("413", "415", "422", "400")


async def reading_app(scope, receive, send):
    """Answers with how much it was sent, and has words of its own for what goes wrong on the way."""
    try:
        said = f"{len(await Request(scope, receive).body())}"
    except Exception:
        said = "invalid"
    await PlainTextResponse(said)(scope, receive, send)


async def post(gate, receive):
    """The status, the text and the headers of what the gate answers to a body."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/afloc/images", "query_string": b"", "headers": []}
    await gate(scope, receive, send)
    return sent[0]["status"], sent[1]["body"].decode(), dict(sent[0]["headers"])


def half_sent(more):
    """A body of 1 MB whose end comes when `more` has come."""
    parts = iter([{"type": "http.request", "body": bytes(1 << 20), "more_body": True}])

    async def receive():
        if (part := next(parts, None)) is None:
            await more()
        return part or {"type": "http.request", "body": b"", "more_body": False}

    return receive


def test_bodies_on_their_way_in_are_bounded_together(monkeypatch):
    monkeypatch.setattr("afloc.web.security.body_limits.LEAST_IN_FLIGHT_MB", 0)

    async def check():
        gate, arrived, end = Gate(reading_app, 1, (99, 99)), asyncio.Queue(), asyncio.Event()

        async def wait():
            arrived.put_nowait(True)
            await end.wait()

        waiting = [asyncio.create_task(post(gate, half_sent(wait))) for _ in range(BODIES_AT_ONCE)]
        for _ in waiting:
            await arrived.get()
        status, text, _ = await post(gate, half_sent(wait))
        assert status == 503 and json.loads(text)["error"].endswith("please try again in a minute.")
        end.set()
        for status, text, _ in [*await asyncio.gather(*waiting), await post(gate, half_sent(wait))]:
            assert (status, text) == (200, f"{1 << 20}")

    with start_blocking_portal() as portal:
        portal.call(check)


def test_a_body_that_stalls_is_given_up_and_its_room_is_free_again(monkeypatch):
    monkeypatch.setattr("afloc.web.security.body_limits.LEAST_IN_FLIGHT_MB", 0)
    monkeypatch.setattr("afloc.web.security.body_limits.STALL_SECONDS", 0)

    async def check():
        gate = Gate(reading_app, 1, (99, 99))
        for _ in range(2 * BODIES_AT_ONCE):
            status, text, headers = await post(gate, half_sent(asyncio.Event().wait))
            assert status == 408 and "did not arrive" in json.loads(text)["error"]
            assert headers[b"connection"] == b"close"

    with start_blocking_portal() as portal:
        portal.call(check)


def test_a_browser_on_another_site_cannot_give_orders(url):
    answer = httpx.post(
        f"{url}afloc/images", content=to_png(a_film()), headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    for site in ("same-origin", "none"):
        headers = {"Sec-Fetch-Site": site}
        assert httpx.post(f"{url}afloc/images", content=to_png(a_film()), headers=headers).status_code == 200


def test_a_client_that_floods_is_told_to_wait(tiny_folder, tmp_path):
    with (
        serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path), AFLOC_RATE="1", AFLOC_PROXIES="*") as url,
        httpx.Client(base_url=url) as flood,
    ):
        one, other = ({"X-Forwarded-For": f"192.0.2.{number}"} for number in (1, 2))
        answers = [flood.get("/robots.txt", headers=one) for _ in range(2 * BURST)]
        assert {answer.status_code for answer in answers} == {200, 429}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["error"].startswith("Too many requests: please wait ")
        assert refused.headers["retry-after"] and refused.headers["x-content-type-options"]
        assert flood.get("/robots.txt", headers=other).status_code == 200
        assert flood.get("/health", headers=one).status_code == 200


def test_nobody_types_fast_enough_to_be_refused():
    now = [0.0]
    rate = read_settings({}).rate
    limit = Limit((rate, BURST * rate), (rate, BURST * rate), clock=lambda: now[0])
    for _ in range(20_000):  # five people at one address, a question for each key, 30 keys a second
        limit.take("one address")
        now[0] += 1 / 150


def test_a_bucket_holds_what_it_says():
    now = [100.0]
    bucket = Bucket(rate=0.5, burst=3, clock=lambda: now[0])
    assert [bucket.add("a", -1) for _ in range(4)] == [0, 0, 0, 2.0]
    assert bucket.add("b", -1) == 0
    now[0] += 2
    assert (bucket.add("a", -1), bucket.add("a", -1)) == (0, 2.0)
    now[0] -= 50  # a clock that goes back neither fills nor drains it
    assert bucket.add("a", -1) == 2.0
    for number in range(2 * MOST_CLIENTS):
        bucket.add(str(number), -1)
    assert len(bucket) == MOST_CLIENTS


def test_a_try_counts_only_where_it_fails():
    limit = Limit((1 / 60, 3), (1, 100), clock=lambda: 0.0)
    client.set("somebody")
    for _ in range(20):
        with limit.attempt():
            pass
    for _ in range(3):
        with pytest.raises(AccessError, match="wrong"), limit.attempt():
            raise AccessError("wrong")
    with pytest.raises(TooManyError, match="wait 60 s"), limit.attempt():
        raise AssertionError("a try too many was looked at")


def test_wrong_tries_of_others_do_not_lock_out_who_is_in():
    limit = Limit((1 / 60, 3), (1, 100), clock=lambda: 0.0)
    client.set("a ward")
    with limit.attempt("a reader's code"):
        pass
    for _ in range(3):
        with pytest.raises(AccessError, match="wrong"), limit.attempt("a guess"):
            raise AccessError("wrong")
    for _ in range(20):
        with limit.attempt("a reader's code"):
            pass
    for name, code in (("a ward", "another's code"), ("a ward", "a guess"), ("a ward", None)):
        client.set(name)
        with pytest.raises(TooManyError), limit.attempt(code):
            raise AssertionError("a try too many was looked at")
    client.set("elsewhere")
    for number in range(2 * MOST_CLIENTS):
        with limit.attempt(str(number)):
            pass
    assert len(limit._right) == MOST_CLIENTS


def test_who_has_the_right_code_gets_in_while_many_addresses_guess():
    now = [0.0]
    limit = Limit((1 / 60, 10), (1, 300), clock=lambda: now[0], first=(1 / 60, 1))

    def guess(address, code="a guess"):
        client.set(name_client(address))
        with limit.attempt(code):
            if code == "a guess":
                raise AccessError("wrong")

    def refusals(addresses):
        """How many guesses are not looked at."""
        found = 0
        for address in addresses:
            try:
                guess(address)
            except TooManyError:
                found += 1
            except AccessError:
                pass
        return found

    assert refusals(f"10.0.{n // 256}.{n % 256}" for n in range(300)) == 0
    assert refusals(["10.0.0.1"] * 2) == 1  # one of its own is left, then none
    assert refusals(f"2001:db8:0:{n:x}::1" for n in range(50)) == 49  # one owner has them all
    for reader in ("192.0.2.1", "192.0.2.2", "2001:db8:7::1"):
        guess(reader, f"the code of {reader}")
    assert refusals(["192.0.2.1"] * 2) == 1  # being right once costs nothing and saves nothing up
    now[0] += 60
    assert refusals(["10.0.0.1"] * 5) == 0  # 60 for all have come back


def test_clients_are_told_apart_by_address_or_network():
    assert name_client("192.0.2.7") != name_client("192.0.2.8")
    assert name_client("2001:db8::1") == name_client("2001:db8::ffff") != name_client("2001:db8:0:1::1")
    assert name_client("nonsense") == ""
    assert name_client("::ffff:192.0.2.7") == "192.0.2.7"  # as a socket for both kinds names it


def test_routes_are_named_without_what_varies_in_them():
    assert find_route("/gradio_api/heartbeat/secret") == "/gradio_api/heartbeat/"
    assert find_route("/afloc/images/TOKEN") == find_route("/afloc/images") == "/afloc/images"
    assert find_route("/gradio_api/component_server/") == "/gradio_api/component_server"
    assert find_route("/afloc/page/0123/viewer/viewer.js") == "/afloc/page/"
    assert find_route('/afloc/"typed"') == find_route("/afloc/imagesque") == "other"
    assert find_route("/assets/../x") == find_route("/gradio_api/file=/x") == "other"


def test_signed_out_there_is_nothing_but_the_sign_in_page(locked):
    with httpx.Client(base_url=locked) as browser:
        for path in EVERYWHERE:
            for method in ("GET", "POST", "HEAD", "DELETE", "PUT"):
                if (method, path) == ("POST", "/login"):
                    continue
                answer = browser.request(method, path, headers={"Accept": "text/html"})
                assert answer.status_code == 401, (method, path)
                assert method == "HEAD" or 'type="password"' in answer.text
            answer = browser.get(path, headers={"Cookie": "afloc-session=guessed"})
            assert (answer.status_code, answer.json()) == (401, {"error": "Please sign in."})
        assert browser.get("/health").json()["status"] == "ok"
    assert "Upgrade" not in send_raw(
        locked, "GET / HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket"
    )


def test_signing_in_and_out_in_a_browser(locked, chromium):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(locked)
    page.fill("input", "not the password")
    page.click("button")
    expect(page.locator("[role=status]")).to_contain_text("This is not the password")
    page.fill("input", PASSWORD)
    page.click("button")
    page.wait_for_selector(".viewer[data-answer='1'][data-state='ready']")
    (cookie,) = context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    page.goto(f"{locked}logout")
    assert page.locator("input[type=password]").count() == 1
    context.add_cookies([cookie])
    page.goto(locked)
    assert page.locator("input[type=password]").count() == 1
    context.close()


@pytest.mark.parametrize("root", ["/heat/maps", "http://127.0.0.1:{}/heat/maps/"])
def test_signing_in_below_a_path(tiny_folder, tmp_path, monkeypatch, root):
    port = free_port()
    monkeypatch.setenv("GRADIO_ROOT_PATH", root.format(port))
    settings = {"AFLOC_DATA_DIR": str(tmp_path / "data"), "AFLOC_PASSWORD": hash_password(PASSWORD)}
    with serve(tiny_folder, **settings) as url:
        here = f"location /heat/maps/ {{ proxy_pass {url}; proxy_set_header Host $http_host; }}"
        site = f"server {{ listen 127.0.0.1:{port}; {here} }}"
        with running_nginx(tmp_path, port, site, "/heat/maps/health") as below, httpx.Client() as browser:
            page = {"Accept": "text/html"}
            for path in (".", "afloc/images"):  # whatever is asked for, the form is the same
                form = browser.get(urljoin(below, path), headers=page)
                assert form.status_code == 401
                action = form.text.partition('action="')[2].partition('"')[0]
                there = urljoin(str(form.url), action)
                entered = browser.post(
                    there, data={"password": PASSWORD}, headers=page, follow_redirects=True
                )
                assert entered.status_code == 200 and entered.url.path == "/heat/maps/"
                left = browser.get(urljoin(below, "logout"), headers=page, follow_redirects=True)
                assert left.url.path == "/heat/maps/" and 'type="password"' in left.text


def test_signing_in_with_gradio_client(locked, film):
    with pytest.raises(AuthenticationError):
        Client(locked, verbose=False)
    session = Client(locked, auth=("anybody", PASSWORD), verbose=False)
    assert session.predict(handle_file(film), "edema", api_name="/locate")["text"] == "edema"


def test_wrong_passwords_are_throttled_and_then_the_right_one_too(tiny_folder, tmp_path):
    hashed = hash_password(PASSWORD)
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path), AFLOC_PASSWORD=hashed, AFLOC_PROXIES="*") as url:
        for number in range(30):
            answer = httpx.post(f"{url}login", data={"password": f"guess {number}"})
            assert answer.status_code == (401 if number < 10 else 429)
        refused = httpx.post(f"{url}login", data={"password": PASSWORD})
        assert refused.status_code == 429 and "wait" in refused.json()["error"]
        assert "set-cookie" not in refused.headers
        elsewhere = {"X-Forwarded-For": "192.0.2.1"}
        assert httpx.post(f"{url}login", data={"password": PASSWORD}, headers=elsewhere).status_code == 200


def test_wrong_reader_codes_are_throttled(tiny_folder, tmp_path):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path)) as url:

        def case(code):
            return httpx.post(f"{url}afloc/study", json={"code": code, "index": 0}).json()["error"]

        assert "wait" not in case("demo-2")
        for number in range(30):
            assert ("wait" in case(f"guess {number}")) == (number >= 10)
        assert "wait" in case("demo-1") and "wait" not in case("demo-2")


def test_a_password_is_kept_as_a_hash():
    first, second = hash_password("pässword 한"), hash_password("pässword 한")
    assert first != second and "pässword" not in first
    assert matches("pässword 한", first) and not matches("password 한", first) and not matches("", first)
    for wrong in ("", PASSWORD, first[:-4], first.replace("scrypt", "plain")):
        with pytest.raises(SettingsError):
            check_hash(wrong)
    with pytest.raises(SettingsError, match="^AFLOC_PASSWORD takes ") as refusal:
        read_settings({"AFLOC_PASSWORD": PASSWORD})
    assert PASSWORD not in str(refusal.value)


def test_what_a_sender_left_is_swept(tmp_path):
    for name, age in (("new", 10), ("old", 1000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "film").write_bytes(b"x")
        for path in (tmp_path / name / "film", tmp_path / name):
            os.utime(path, (1e9 - age, 1e9 - age))
    sweep(tmp_path, 1e9 - 100)
    assert [path.parent.name for path in tmp_path.rglob("film")] == ["new"]
    sweep(tmp_path, 2e12)
    assert not list(tmp_path.iterdir())


def test_the_upload_folder_goes_with_the_server(tiny_folder, tmp_path, film):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "data")) as url:
        (path,) = httpx.post(f"{url}gradio_api/upload", files={"files": film.open("rb")}).json()
        folder = Path(path).parents[1]
        assert folder.is_dir()
    assert not folder.exists()


def test_the_uploads_of_a_killed_server_go_at_the_next_start(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    parent = private_folder(UPLOADS)
    left, another = lock_folder(parent, SENT), lock_folder(parent, SENT)
    for held in (left, another):
        (held.path / "Doe_Jane.png").write_bytes(b"x")
    left.lock.close()  # as the end of its process does
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "data")):
        assert not left.path.exists() and any(another.path.iterdir())
    assert {path.name for path in parent.iterdir()} == {another.path.name, f"{another.path.name}.lock"}


def test_what_a_killed_server_was_writing_goes_at_the_next_start(tiny_folder, tmp_path, monkeypatch):
    """An export holds every answer; so do a copy for the backup and a dropped ground truth their parts."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "data")), temporary_folder() as folder:
        held = folder.parent
        assert held.parent == private_folder(UPLOADS) and stat.S_IMODE(held.stat().st_mode) == 0o700
    assert not held.exists()
    left = lock_folder(private_folder(UPLOADS), WORK)
    (left.path / "tmp1").mkdir()
    (left.path / "tmp1" / "study.csv").write_bytes(b"x")
    left.lock.close()  # as the end of its process does
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path / "data")):
        assert not left.path.exists()
    with temporary_folder() as folder:  # of a command, among the system's
        assert folder.parent == tmp_path
    rooms = (ROOT / "afloc" / "web", ROOT / "afloc" / "feedback")
    sources = "".join(path.read_text(encoding="utf-8") for room in rooms for path in room.rglob("*.py"))
    assert "tempfile" not in sources, "temporary folders of a server are made by temporary_folder"


@pytest.mark.parametrize(
    "name", ["x", "locate/", "locate", "feedback", "..", "%2e%2e", "__class__", "x" * 500]
)
@pytest.mark.parametrize(
    "body", [b"", b"[", b"[]", b"{}", b'{"image": 1}', b'{"nonsense": null}', b'{"data": []}']
)
def test_a_call_by_names_that_does_not_fit_is_one_sentence(url, name, body):
    headers = {"Content-Type": "application/json"}
    for way in ("v2/", ""):
        answer = httpx.post(f"{url}gradio_api/call/{way}{name}", content=body, headers=headers)
        assert 400 <= answer.status_code < 500 or answer.json().get("event_id"), answer.text
        assert is_clean(answer)


def test_a_call_by_names_is_answered(url, film):
    (path,) = httpx.post(f"{url}gradio_api/upload", files={"files": film.open("rb")}).json()
    said = {"image": {"path": path, **WHERE}, "description": "edema"}
    event = httpx.post(f"{url}gradio_api/call/v2/locate", json=said).json()["event_id"]
    assert '"text": "edema"' in httpx.get(f"{url}gradio_api/call/v2/locate/{event}").text
    unknown = httpx.post(f"{url}gradio_api/call/v2/x", json={})
    assert unknown.status_code == 404 and "/locate, /classify" in unknown.json()["error"]
    wrong = httpx.post(f"{url}gradio_api/call/v2/locate", json={"nonsense": 1})
    assert wrong.status_code == 422 and "/locate takes" in wrong.json()["error"]


@pytest.mark.parametrize(
    "body", [b"", b"[", b"null", b"[]", b"{}", b'"x"', b'{"code": 1}', b"\xff", b"[" * 100_000]
)
def test_an_empty_or_foreign_body_is_one_sentence(url, body):
    for path in ("export", "study"):
        answer = httpx.post(f"{url}afloc/{path}", content=body)
        assert 400 <= answer.status_code < 500 and answer.json()["error"].endswith(".")
    for path in ("images", "sets"):
        assert 400 <= httpx.post(f"{url}afloc/{path}", content=body).status_code < 500


def test_the_folder_for_uploads_is_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = private_folder("one")
    path.chmod(0o777)
    assert private_folder("one") == path and stat.S_IMODE(path.stat().st_mode) == 0o700
    (tmp_path / f"two-{os.getuid()}").symlink_to(path)
    with pytest.raises(SettingsError, match="another user"):
        private_folder("two")
    user = os.getuid() + 1
    (tmp_path / f"one-{user}").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: user)
    with pytest.raises(SettingsError, match="another user"):
        private_folder("one")
