"""Under which names the page answers, and which sites may give it orders."""

import socket

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from afloc.errors import SettingsError
from afloc.settings import read_settings
from afloc.web.security.gate import Gate
from afloc.web.security.hosts import choose_names
from tests.web.conftest import serve
from tests.web.nginx import free_port, running_nginx
from tests.web.tabs.test_probe import a_film, to_png

ELSEWHERE = (
    "evil.example",
    "evil.example:7860",
    "127.0.0.1.nip.io",
    "localhost.evil.example",
    "evil.example.",
    "",
)


@pytest.fixture(scope="module")
def url(tiny_folder, tmp_path_factory):
    with serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path_factory.mktemp("data"))) as url:
        yield url


@pytest.mark.parametrize(
    "path", ["", "config", "metrics", "gradio_api/info", "afloc/export", "afloc/plotly.js"]
)
def test_nothing_is_read_under_a_name_that_is_not_the_pages(url, path):
    for host in ELSEWHERE:
        for method in ("GET", "POST"):
            headers = {"Host": host, "Sec-Fetch-Site": "same-origin"}
            answer = httpx.request(method, url + path, headers=headers)
            assert answer.status_code in (400, 421), host
            assert answer.status_code == 400 or "AFLOC_HOSTS" in answer.json()["error"]
    assert httpx.get(f"{url}health", headers={"Host": "evil.example"}).status_code == 200


def test_no_pixels_of_a_set_leave_under_another_name(tiny_folder, tmp_path):
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "film.png").write_bytes(to_png(a_film()))
    (tmp_path / "sets" / "ward.csv").write_text("image,labels\nfilm.png,edema\n")
    own = {"AFLOC_DATA_DIR": str(tmp_path / "data"), "AFLOC_SETS_DIR": str(tmp_path / "sets")}
    with serve(tiny_folder, **own) as url:
        ask = f"{url}afloc/images?set=ward&row=0"
        assert httpx.post(ask).status_code == 200
        assert httpx.post(ask, headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("setting", "listens", "spaces", "host", "has"),
    [
        ("", None, False, "127.0.0.1:7860", True),
        ("", None, False, "localhost:7860", True),
        ("", None, False, "LOCALHOST.:7860", True),
        ("", None, False, "afloc.localhost", True),
        ("", None, False, "[::1]:7860", True),
        ("", "0.0.0.0", False, "192.168.1.20:7860", True),
        ("", "0.0.0.0", False, "ward-pc:7860", True),
        ("", "0.0.0.0", False, f"{socket.gethostname()}.local:7860", True),
        ("", "ward.hospital.example", False, "ward.hospital.example:7860", True),
        ("", "0.0.0.0", False, "afloc.hospital.example", False),
        ("afloc.hospital.example, other.example", None, False, "AFLOC.hospital.example", True),
        ("afloc.hospital.example", None, False, "hospital.example", False),
        ("*.hospital.example", None, False, "a.b.hospital.example:443", True),
        ("*.hospital.example", None, False, "hospital.example", False),
        ("*.hospital.example", None, False, "evilhospital.example", False),
        ("*", None, False, "evil.example", True),
        ("", None, True, "somebody-afloc.hf.space", True),
        ("afloc.example", None, True, "somebody-afloc.hf.space", False),
    ],
)
def test_the_names_of_the_page(setting, listens, spaces, host, has):
    names = choose_names(read_settings({"AFLOC_HOSTS": setting}).hosts, listens, spaces)
    assert names.has(host) is has


def test_the_name_in_the_address_of_a_proxy_is_the_pages(monkeypatch):
    monkeypatch.setenv("GRADIO_ROOT_PATH", "https://proxy.example/afloc")
    assert choose_names((), None, False).has("proxy.example")


def test_a_name_has_no_scheme_and_no_port():
    for wrong in ("https://afloc.example", "afloc.example:443", "afloc.example/heat", "a b"):
        with pytest.raises(SettingsError, match="^AFLOC_HOSTS is "):
            read_settings({"AFLOC_HOSTS": wrong})


async def _say_done(scope, receive, send):
    await PlainTextResponse("done")(scope, receive, send)


def ask(headers, path="/afloc/images", method="POST", listed=""):
    names = choose_names(read_settings({"AFLOC_HOSTS": listed}).hosts, None, False)
    client = TestClient(Gate(_say_done, 1, (99, 99), names=names), base_url="http://127.0.0.1:7860")
    return client.request(method, path, headers=headers).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:7860"},
        {"Sec-Fetch-Site": "nonsense"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "http://localhost:7860"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:7860.evil.example"},
        {"Origin": ""},
    ],
)
def test_another_site_cannot_give_orders_however_its_browser_names_it(headers):
    for method in ("POST", "DELETE", "PUT"):
        assert ask(headers, method=method) == 403
    assert ask(headers, method="GET") == 200


@pytest.mark.parametrize(
    ("headers", "listed"),
    [
        ({}, ""),  # no browser
        ({"Origin": "http://127.0.0.1:7860"}, ""),
        ({"Origin": "https://afloc.example", "Host": "afloc.example:443"}, "afloc.example"),
        ({"Origin": "https://afloc.example"}, "afloc.example"),  # a proxy that changes Host
        ({"Origin": "https://afloc.example", "X-Forwarded-Host": "afloc.example"}, ""),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, ""),
        ({"Sec-Fetch-Site": "none"}, ""),
    ],
)
def test_the_page_itself_can(headers, listed):
    assert ask(headers, listed=listed) == 200


def test_signing_in_without_https_is_possible():
    assert ask({"Origin": "null"}, "/login") == 404  # no sign-in here, but let through


def test_the_page_answers_behind_nginx_by_its_name(tiny_folder, tmp_path):
    port = free_port()
    own = {"AFLOC_DATA_DIR": str(tmp_path / "data"), "AFLOC_HOSTS": "afloc.example"}
    with serve(tiny_folder, **own) as url:
        here = f"location / {{ proxy_pass {url}; proxy_set_header Host $http_host; }}"
        site = f"server {{ listen 127.0.0.1:{port}; {here} }}"
        with running_nginx(tmp_path, port, site, "/health"):
            for host, status in (("afloc.example", 200), (f"127.0.0.1:{port}", 200), ("evil.example", 421)):
                said = httpx.get(f"http://127.0.0.1:{port}/config", headers={"Host": host})
                assert said.status_code == status
