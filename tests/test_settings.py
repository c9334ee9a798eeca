import pytest

from afloc.errors import SettingsError
from afloc.settings import SETTINGS, read_settings


def test_defaults_and_values():
    assert read_settings({}).model is None
    assert read_settings({}).max_upload_mb == 128
    assert read_settings({"AFLOC_PORT": " 8080 ", "AFLOC_MODEL": "folder"})[:4] == (
        "folder",
        "auto",
        None,
        8080,
    )


@pytest.mark.parametrize(
    "name, text", [("AFLOC_PORT", "70000"), ("AFLOC_DEVICE", "tpu"), ("AFLOC_MAX_UPLOAD_MB", "²")]
)
def test_a_value_that_is_not_accepted_is_named(name, text):
    with pytest.raises(SettingsError, match=f"^{name} is '{text}'; it takes .*[^.]\\.$"):
        read_settings({name: text})


def test_every_setting_says_what_it_does():
    assert all(setting.help.endswith(".") and setting.name.startswith("AFLOC_") for setting in SETTINGS)
