"""Models that several tests share: one in the released format, and a small one that answers at once."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

# Read when PyTorch is loaded, here and in what is started from here. Small tensors gain nothing from more
# threads, which wait for each other where several tests run at once.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import certifi
import pytest
import torch
from httpx._config import DEFAULT_TIMEOUT_CONFIG

from tests.released import REFERENCE, draw_state, write_released


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="many more kills, damaged files and random inputs")


def pytest_runtest_setup(item):
    if item.get_closest_marker("long") and not item.config.getoption("--long"):
        pytest.skip("takes long: --long")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """With `-n`, each file is run by one process: it sets its server up once."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist, config.option.loadscopereorder = "loadfile", False


def pytest_collection_modifyitems(items):
    """What drives a browser is marked, so that `-m "not browser"` runs the rest, and comes first; then comes
    the rest of the page. These files take longest: one at the end would keep one process busy alone."""
    for item in items:
        if "chromium" in item.fixturenames:
            item.add_marker("browser")
    driven = {item.path for item in items if item.get_closest_marker("browser")}
    items.sort(key=lambda item: (item.path not in driven, "web" not in item.path.parts))


@pytest.fixture(scope="session")
def long(request) -> bool:
    """Whether to run the long version of a test."""
    return request.config.getoption("--long")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory) -> Path:
    """Where the tests' models are exported to, once for all processes of xdist."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["AFLOC_CACHE_DIR"] = str(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def httpx_for_tests(tmp_path_factory) -> None:
    """The tests talk to this machine alone, without TLS. Yet each `httpx.get` reads all certificates that it
    trusts: 30 ms for those it comes with, nothing for one. And it waits 5 s for an answer: a busy machine
    may need more."""
    end = "-----END CERTIFICATE-----\n"
    path = tmp_path_factory.mktemp("certificate") / "one.pem"
    path.write_text(certifi.contents().partition(end)[0] + end)
    os.environ["SSL_CERT_FILE"] = str(path)
    DEFAULT_TIMEOUT_CONFIG.read = 60


@pytest.fixture(scope="session")
def make_once(cache_folder):
    """make_once(name, make): a folder that `make(folder)` fills, once for all processes of xdist."""

    def make_once(name: str, make: Callable[[Path], object]) -> Path:
        folder, part = cache_folder.parent / name, cache_folder.parent / f"{name}.part"
        with open(cache_folder.parent / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                part.mkdir()
                make(part)
                part.rename(folder)
        return folder

    return make_once


@pytest.fixture(scope="session")
def released_checkpoint(make_once) -> Path:
    """The checkpoint that the reference vectors were computed on: to be read, not changed."""
    name = "afloc_random.ckpt"
    return make_once("released", lambda folder: write_released(folder / name, draw_state())) / name


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory) -> Path:
    """A model folder with untrained weights and a presence calibration."""
    from afloc.model.config import ModelConfig
    from afloc.model.files.checkpoint import write_folder
    from afloc.model.network import AFLoc
    from afloc.model.tokenizer import WordPieceTokenizer

    bert = json.loads((REFERENCE / "bert" / "config.json").read_text())
    config = ModelConfig(
        name="small",
        version="1",
        backbone="resnet50",
        backbone_options={"embedding_size": 8, "hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 1, 1]},
        image_size=96,
        image_sizes={"fundus": 128},
        normalisation="lite",
        text_encoder=bert | {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2},
        last_n_layers=2,
        embedding_dim=32,
        max_tokens=24,
        modalities=("chest_xray", "fundus"),
        calibration={
            modality: {"presence": {"other": {"slope": 40.0, "intercept": -20.0, "threshold": 0.5}}}
            for modality in ("chest_xray", "fundus")
        },
    )
    torch.manual_seed(0)
    network = AFLoc(config).eval()
    tokenizer = WordPieceTokenizer.read(REFERENCE / "bert", config.max_tokens, bert["vocab_size"])
    folder = tmp_path_factory.mktemp("small")
    write_folder(folder, network, tokenizer, "# small\n")
    return folder


@pytest.fixture
def small_model(small_folder):
    from afloc import load_model

    return load_model(small_folder, "cpu")
