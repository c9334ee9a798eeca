"""The comparison of the lock with advisories: every form they come in, every way a range is written."""

import json
import zipfile

import pytest
from packaging.version import Version

from tests.advisories import LOCK, concerns, main, read_lock


def osv(name="Web_Thing", ecosystem="PyPI", **affected):
    return {"id": "PYSEC-1", "affected": [{"package": {"name": name, "ecosystem": ecosystem}, **affected}]}


def between(*events):
    return {"ranges": [{"type": "ECOSYSTEM", "events": list(events)}]}


FROM, FIXED = {"introduced": "1.0"}, {"fixed": "1.2.4"}


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "lock"
    path.write_text(
        "web-thing[all]==1.2.3 ; python_version > '3' \\\n    --hash=sha256:00\nother==2.0 \\\n    --hash=x\n"
    )
    return path


@pytest.mark.parametrize(
    ("affected", "found"),
    [
        (between(FROM, FIXED), True),
        (between({"introduced": "0"}), True),
        (between({"introduced": "0"}, {"fixed": "1.2.3"}), False),
        (between({"introduced": "1.3"}), False),
        (between({"introduced": "0"}, {"last_affected": "1.2.3"}), True),
        (between({"introduced": "0"}, {"last_affected": "1.2.2"}), False),
        (between({"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.2"}, {"fixed": "1.2.9"}), True),
        (between({"introduced": "1.2.3rc1"}, {"fixed": "1.2.3"}), False),
        ({"versions": ["1.2.3.0"]}, True),
        ({"versions": ["1.2.2", "not a version"]}, False),
        ({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, False),
    ],
)
def test_ranges_of_versions(affected, found):
    (part,) = osv(**affected)["affected"]
    assert concerns(part, "web-thing", Version("1.2.3")) is found
    assert not concerns(part, "other", Version("1.2.3"))
    assert not concerns(osv(ecosystem="npm", **affected)["affected"][0], "web-thing", Version("1.2.3"))


def test_every_form_is_read(lock, tmp_path, capsys):
    hit, miss = osv(**between(FROM, FIXED)), osv("other", **between({"introduced": "3"}))
    audit = {"dependencies": [{"name": "Web.Thing", "version": "1.2.3", "vulns": [{"id": "PYSEC-1"}]},
                              {"name": "other", "version": "1.0", "vulns": [{"id": "PYSEC-2"}]}]}  # fmt: skip
    for form, status in ((hit, 1), ([miss, hit], 1), ({"vulns": [hit]}, 1), (audit, 1), (miss, 0), ([], 0)):
        path = tmp_path / "advisories.json"
        path.write_text(json.dumps(form))
        assert main([str(path), "--lock", str(lock)]) == status
        said = capsys.readouterr().out
        assert ("web-thing 1.2.3: PYSEC-1" in said) is bool(status) and "PYSEC-2" not in said
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("PYSEC-0.json", json.dumps(miss))
        archive.writestr("PYSEC-1.json", json.dumps(hit))
    assert main([str(tmp_path / "all.zip"), "--lock", str(lock)]) == 1


@pytest.mark.parametrize("content", ["", "{", "3", '{"a": 1}', '{"id": "x", "affected": 3}'])
def test_another_file_is_one_sentence(lock, tmp_path, content, capsys):
    (tmp_path / "file").write_text(content)
    assert main([str(tmp_path / "file"), "--lock", str(lock)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main([str(tmp_path / "nothing"), "--lock", str(lock)]) == 2


def test_the_lock_of_this_project_is_read():
    assert {"gradio", "torch", "onnxruntime"} <= read_lock(LOCK).keys()
