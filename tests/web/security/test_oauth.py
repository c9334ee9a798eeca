"""Signing in with Hugging Face on a Space, against a stand-in of the hub's OpenID provider."""

import base64
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import duckdb
import gradio.oauth
import httpx
import pytest
from gradio_client import Client, handle_file
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from afloc.errors import SettingsError
from afloc.feedback.store.store import FILE_NAME
from afloc.web.security.oauth import HubSignIn, user_name
from tests.web.conftest import serve
from tests.web.tabs.test_probe import a_film, to_png
from tests.web.test_load import open_image, server_function

HOST = "owner-afloc.hf.space"
PAGE = {"Accept": "text/html"}


class Provider(BaseHTTPRequestHandler):
    """Signs everybody in as Jane, unless she says no."""

    key = RSAKey.generate_key(parameters={"kid": "1", "alg": "RS256"})
    nonce, refuses = "", False

    def log_message(self, *_):
        pass

    def answer(self, said, status=200, **headers):
        body = json.dumps(said).encode()
        self.send_response(status)
        for name, value in (headers | {"Content-Type": "application/json"}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        base = f"http://127.0.0.1:{self.server.server_port}"
        asked = {name: value[0] for name, value in parse_qs(urlsplit(self.path).query).items()}
        if self.path.startswith("/authorize"):
            Provider.nonce = asked["nonce"]
            said = {"error": "access_denied"} if self.refuses else {"code": "c"}
            back = urlencode(said | {"state": asked["state"]})
            self.answer({}, 302, Location=f"{asked['redirect_uri']}&{back}")
        elif self.path == "/keys":
            self.answer({"keys": [self.key.as_dict(private=False)]})
        else:
            ends = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
            said = {f"{name}_endpoint": f"{base}/{end}" for name, end in ends.items()}
            self.answer(said | {"issuer": base, "jwks_uri": f"{base}/keys"})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        now = int(time.time())
        claims = {"iss": f"http://127.0.0.1:{self.server.server_port}", "aud": "us", "sub": "1"}
        claims |= {"iat": now, "exp": now + 60, "nonce": self.nonce, "preferred_username": "jane"}
        claims |= {"name": "Jane Doe", "profile": "https://hub/jane", "picture": "https://hub/jane.png"}
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)
        self.answer({"access_token": "t", "token_type": "bearer", "expires_in": 60, "id_token": token})


@pytest.fixture
def provider(monkeypatch):
    """A Space's environment, with the provider behind it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {"SYSTEM": "spaces", "SPACE_ID": "owner/afloc", "SPACE_HOST": HOST}.items():
        monkeypatch.setenv(name, value)
    own = {"OAUTH_CLIENT_ID": "us", "OAUTH_CLIENT_SECRET": "s", "OAUTH_SCOPES": "openid profile"}
    for name, value in own.items():
        monkeypatch.setattr(gradio.oauth, name, value)
    monkeypatch.setattr(gradio.oauth, "OPENID_PROVIDER_URL", f"http://127.0.0.1:{server.server_port}")
    yield Provider
    Provider.refuses = False
    server.shutdown()


class Space(httpx.HTTPTransport):
    """Leads to the page what is addressed to the Space; a browser sends back its cookie by HTTPS only."""

    def __init__(self, url):
        super().__init__()
        self.page = httpx.URL(url)

    def handle_request(self, request):
        if request.url.host == HOST:
            url = self.page.copy_with(raw_path=request.url.raw_path)
            request = httpx.Request(request.method, url, headers=request.headers, stream=request.stream)
        return super().handle_request(request)


@pytest.fixture
def page(provider, tiny_folder, tmp_path):
    """The page's address, and a browser that knows it as a Space's."""
    with (
        serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path), AFLOC_SIGN_IN="oauth") as url,
        httpx.Client(base_url=f"https://{HOST}/", transport=Space(url), timeout=60) as browser,
    ):
        browser.session = "s"
        yield url, browser


def sign_in(browser):
    return browser.get("/login/huggingface", headers=PAGE, follow_redirects=True)


def test_nobody_gets_in_but_who_signed_in(page, provider):
    _, browser = page
    shut = browser.get("/", headers=PAGE)
    assert shut.status_code == 401 and 'href="/login/huggingface"' in shut.text
    assert browser.get("/config").status_code == browser.get("/afloc/plotly.js").status_code == 401
    assert browser.get("/health").status_code == 200 and browser.get("/login").status_code == 404
    provider.refuses = True
    shut = sign_in(browser)
    assert shut.status_code == 401 and "please try again" in shut.text
    provider.refuses = False
    assert sign_in(browser).status_code == 200 and browser.get("/config").status_code == 200
    browser.get("/logout")
    assert browser.get("/config").status_code == 401


def test_feedback_has_the_name(page, tmp_path):
    url, browser = page
    sign_in(browser)
    said = {"session": "s", "description": "effusion", "agreement": "yes"}
    saved = server_function(browser, "feedback", token=open_image(browser, a_film()), **said)
    server_function(browser, "withdraw", session="s", replaces=saved["id"], id=str(uuid.uuid4()))
    (tmp_path / "film.png").write_bytes(to_png(a_film()))
    api = Client(url, verbose=False, headers={"Cookie": f"session={browser.cookies['session']}"})
    api.predict(handle_file(tmp_path / "film.png"), "effusion", "yes", api_name="/feedback")
    with duckdb.connect(tmp_path / FILE_NAME) as store:
        found = store.execute("SELECT kind, reader FROM events ORDER BY seq").fetchall()
    assert found == [("feedback", "jane"), ("withdrawal", "jane"), ("feedback", "jane")]


def test_a_forged_cookie_and_an_old_sign_in_are_worth_nothing(page):
    url, _ = page
    found = {"userinfo": {"preferred_username": "eve"}, "expires_at": time.time() + 60}
    forged = base64.b64encode(json.dumps({"oauth_info": found}).encode()).decode() + ".e30.e30"
    assert httpx.get(f"{url}config", headers={"Cookie": f"session={forged}"}).status_code == 401
    assert user_name({"oauth_info": found}) == "eve"
    assert user_name({"oauth_info": found | {"expires_at": time.time() - 1}}) is None


def test_elsewhere_it_is_refused(tiny_folder, tmp_path):
    """Gradio would sign everybody in as whoever runs the page."""
    with pytest.raises(SettingsError, match="for Hugging Face Spaces"):
        serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path), AFLOC_SIGN_IN="oauth").__enter__()


def test_the_way_in_below_a_path(provider, monkeypatch):
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/heat/maps")
    shut = TestClient(HubSignIn(PlainTextResponse("inside"), (), framed=False)).get("/", headers=PAGE)
    assert 'href="/heat/maps/login/huggingface?_target_url=%2Fheat%2Fmaps%2F"' in shut.text
