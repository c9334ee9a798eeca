"""Whose address counts where proxies stand before the page."""

import ipaddress
from collections import Counter

import httpx
import pytest

from afloc.errors import SettingsError
from afloc.passwords import hash_password
from afloc.settings import read_settings
from afloc.web.security.forwarded import choose_proxies
from tests.web.conftest import serve
from tests.web.nginx import free_port, running_nginx

PASSWORD = "correct horse battery"
ME, YOU, FORGED = "192.0.2.7", "203.0.113.9", "198.51.100.1"


@pytest.mark.parametrize(
    ("setting", "on_spaces", "peer", "said", "client"),
    [
        ("", False, "127.0.0.1", [FORGED, ME], ME),
        ("", False, YOU, [FORGED], YOU),  # no proxy: what it says is not believed
        ("", False, "127.0.0.1", [], "127.0.0.1"),
        ("*", False, "10.0.0.1", [FORGED, ME], ME),
        ("1", False, "10.0.0.1", [FORGED, ME], ME),
        ("2", False, "10.0.0.1", [FORGED, ME, YOU], ME),
        ("2", False, "10.0.0.1", [ME], ME),
        ("10.0.0.0/8, 172.16.0.1", False, "172.16.0.1", [FORGED, ME, "10.3.2.1"], ME),
        ("10.0.0.0/8", False, "10.0.0.1", [FORGED, "10.0.0.9"], FORGED),
        ("10.0.0.0/8", False, "10.0.0.1", ["10.0.0.8", "10.0.0.9"], "10.0.0.9"),  # none from outside
        ("2001:db8::/32", False, "2001:db8::1", [FORGED, ME], ME),
        ("10.0.0.0/8", False, "::ffff:10.0.0.1", [FORGED, ME], ME),
        ("", True, "10.20.1.2", [FORGED, ME, "10.16.4.1"], ME),
        ("", True, YOU, [FORGED, ME], ME),
        ("1", True, "10.20.1.2", [FORGED, ME], ME),
    ],
)
def test_addresses_are_counted_from_the_right(setting, on_spaces, peer, said, client):
    proxies = choose_proxies(read_settings({"AFLOC_PROXIES": setting}).proxies, on_spaces)
    assert proxies.find_client(peer, said) == client


def test_the_setting_takes_a_number_or_addresses():
    assert read_settings({"AFLOC_PROXIES": "10.0.0.1"}).proxies == (ipaddress.ip_network("10.0.0.1/32"),)
    for wrong in ("nginx", "0", "10", "10.0.0.1/99", "-1", "10.0.0.1;10.0.0.2"):
        with pytest.raises(
            SettingsError, match="^AFLOC_PROXIES is .* takes addresses|^AFLOC_PROXIES is .* a whole"
        ):
            read_settings({"AFLOC_PROXIES": wrong})


@pytest.mark.parametrize("spaces", [False, True])
def test_who_writes_addresses_of_their_own_still_has_ten_tries(tiny_folder, tmp_path, monkeypatch, spaces):
    """nginx as it is usually set up: it appends to what the client says."""
    if spaces:
        monkeypatch.setenv("SPACE_ID", "somebody/afloc")
    port = free_port()
    here = {"AFLOC_DATA_DIR": str(tmp_path / "data"), "AFLOC_PASSWORD": hash_password(PASSWORD)}
    with serve(tiny_folder, **here, AFLOC_PROXIES="*") as url:
        passed_on = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
        site = f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {url}; {passed_on} }} }}"
        with running_nginx(tmp_path, port, site, "/health"), httpx.Client() as guesser:
            said = Counter(
                guesser.post(
                    f"http://127.0.0.1:{port}/login",
                    data={"password": f"guess {number}"},
                    headers={"X-Forwarded-For": f"192.0.2.{number}, 10.0.0.{number}"},
                ).status_code
                for number in range(40)
            )
            assert said == {401: 10, 429: 30}
            reader = {"X-Forwarded-For": ME}  # by a proxy beside nginx
            assert httpx.post(f"{url}login", data={"password": PASSWORD}, headers=reader).status_code == 200


@pytest.mark.parametrize(
    "entry", ["192.0.2.7:4711", "[2001:db8::7]:4711", "2001:db8::7", "192.0.2.9 , 192.0.2.7", "unknown"]
)
def test_an_entry_may_have_a_port(tiny_folder, tmp_path, entry):
    with (
        serve(tiny_folder, AFLOC_DATA_DIR=str(tmp_path), AFLOC_RATE="1", AFLOC_PROXIES="1") as url,
        httpx.Client(base_url=url, headers={"X-Forwarded-For": entry}) as flood,
    ):
        while flood.get("/robots.txt").status_code == 200:
            pass
        other = {"X-Forwarded-For": "192.0.2.8"}
        assert flood.get("/robots.txt", headers=other).status_code == 200
        with_port = {"X-Forwarded-For": "192.0.2.7:9" if "192" in entry else "[2001:db8::7]:9"}
        assert flood.get("/robots.txt", headers=with_port).status_code == (200 if "unk" in entry else 429)
