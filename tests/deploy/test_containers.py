"""What of the containers can be held against the project without running them."""

import fnmatch
import json
import tomllib
from pathlib import Path

import yaml

from afloc.settings import SETTINGS

ROOT = Path(__file__).parents[2]


def test_the_services_fit_the_proxy_and_the_settings():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    proxy = (ROOT / "deploy" / "nginx.conf").read_text()
    for name in ("page-1", "page-2"):
        assert f"server {name}:7860" in proxy
        assert services[name]["environment"].keys() <= {setting.name for setting in SETTINGS}
        assert services[name]["environment"]["AFLOC_PROXIES"] == "*" and "ports" not in services[name]
    assert "X-Forwarded-For $remote_addr;" in proxy  # which the pages then believe
    for name in ("page", "page-1", "page-2", "nginx"):
        assert services[name]["read_only"] and services[name]["cap_drop"] == ["ALL"]
    assert "listen 8080;" in proxy and services["nginx"]["ports"] == ["127.0.0.1:8080:8080"]


def test_the_pacs_beside_the_page_fits_its_settings():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    orthanc = json.loads((ROOT / "deploy" / "orthanc.json").read_text())
    page = services["page-pacs"]["environment"]
    assert page.keys() <= {setting.name for setting in SETTINGS}
    assert page["AFLOC_DICOMWEB_URL"] == f"http://orthanc:{orthanc['HttpPort']}/dicom-web"
    (user,) = orthanc["RegisteredUsers"]
    assert user == page["AFLOC_DICOMWEB_USER"] and orthanc["RegisteredUsers"][user] == "${ORTHANC_PASSWORD}"
    assert services["orthanc"]["ports"] == ["127.0.0.1:8042:8042"]  # this computer only
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(services["page-pacs"]["build"]["args"]["EXTRAS"].split()) <= extras.keys()


def test_what_the_image_copies_is_let_into_the_build():
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")]
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]]
    assert copied and all(any(fnmatch.fnmatch(name, each) for each in let_in) for name in copied)
    assert all((ROOT / name).exists() for name in copied)
    assert lines.index("USER afloc") > max(n for n, line in enumerate(lines) if line.startswith("RUN"))
