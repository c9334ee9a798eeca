import pytest

from tests.cli.test_main import run


@pytest.mark.parametrize("shard", ["1", "2/2", "a/b", "-1/2"])
def test_a_shard_that_is_none(capsys, small_folder, tmp_path, shard):
    arguments = ("--out", tmp_path / "o", "--model", small_folder, f"--shard={shard}")
    for command in ("embed", "evaluate"):
        assert run(command, tmp_path / "no.csv", *arguments) == 2
        assert "takes I/N, I from 0 to N - 1.\n" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
