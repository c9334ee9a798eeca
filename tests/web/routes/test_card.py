"""The model card, as people read it in a browser."""

import shutil
from urllib.parse import urljoin

import httpx

from afloc.web.routes.card import render_card
from tests.web.conftest import EMBEDDED, serve

HOSTILE = """---
license: other
---
# A card

<script>window.hit = 1</script> and [a file](../LICENSE), [a page](https://example.org) or
[no](javascript:alert(1))

| finding | AUROC |
|---|---|
| effusion | 0.91 <img src=x onerror=alert(1)> |
"""


def test_a_card_is_markup_with_tables_and_nothing_of_it_runs():
    shown = render_card(HOSTILE)
    assert "<h1>A card</h1>" in shown and "<th>AUROC</th>" in shown and "license" not in shown
    assert "<script" not in shown and "<img" not in shown and 'href="javascript' not in shown
    assert "<a>a file</a>" in shown and '<a href="https://example.org">a page</a>' in shown


def test_the_card_of_the_served_model_is_a_page(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    (folder / "README.md").write_text((EMBEDDED / "README.md").read_text())
    with serve(folder, AFLOC_DATA_DIR=str(tmp_path / "data")) as url:
        page = httpx.get(f"{url}afloc/card")
        assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
        assert "<h1>afloc-mini" in page.text and "<table>" in page.text and "|---|" not in page.text
        for part in ("shell/theme.js", "styles.css"):
            (path,) = [each for each in page.text.split('"') if each.endswith(part)]
            assert httpx.get(urljoin(f"{url}afloc/card", path)).status_code == 200
