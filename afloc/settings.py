"""Settings, one row each, read from the environment."""

import ipaddress
import os
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from afloc.errors import SettingsError
from afloc.passwords import check_hash

Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def _text_or_none(text: str) -> str | None:
    return text or None


def _device(text: str) -> str:
    if text not in ("auto", "cpu", "cuda"):
        raise ValueError("auto, cpu or cuda")
    return text


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _log(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError("text or json")
    return text


def _yes(text: str) -> bool:
    if text not in ("", "yes"):
        raise ValueError("yes, or nothing")
    return text == "yes"


def _web_address_or_none(text: str) -> str | None:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username):
        raise ValueError("http://HOST:PORT/PATH or https://…, without a name or password")
    return text or None


def _sign_in(text: str) -> str | None:
    if text not in ("", "oauth"):
        raise ValueError("oauth, or nothing")
    return text or None


def _hash_or_none(text: str) -> str | None:
    try:
        return check_hash(text) if text else None
    except SettingsError:
        raise ValueError("what `python -m afloc password` prints") from None


def _port(text: str) -> int | None:
    return _number(1, 65535)(text) if text else None


def _proxies(text: str) -> int | Networks | None:
    """How many there are, or their networks; None where nothing is given."""
    if text == "*":  # whoever connects is the one proxy
        return 1
    if text.isascii() and text.isdigit():
        return _number(1, 9)(text)
    try:
        return (
            tuple(ipaddress.ip_network(each.strip(), strict=False) for each in text.split(","))
            if text
            else None
        )
    except ValueError:
        raise ValueError("addresses or networks with commas between, or how many proxies there are") from None


def _hosts(text: str) -> tuple[str, ...]:
    names = tuple(each.strip().lower() for each in text.split(",") if each.strip())
    if any(set(each) & set("/:@ ") for each in names):
        raise ValueError("names with commas between, without http:// and without a port")
    return names


@dataclass(frozen=True)
class Setting:
    """One row: the environment variable, its default as written there, what it does, how it is read.

    `parse` raises ValueError with what it would have accepted ("auto, cpu or cuda"). What a `secret` one
    holds is not repeated.
    """

    name: str
    default: str
    help: str
    parse: Callable[[str], Any]
    secret: bool = False

    @property
    def field(self) -> str:
        return self.name.removeprefix("AFLOC_").lower()


SETTINGS = (
    Setting(
        "AFLOC_MODEL",
        "",
        "Model to use: a model folder, a released .ckpt or hf:owner/name; empty for the embedded one.",
        _text_or_none,
    ),
    Setting("AFLOC_DEVICE", "auto", "Where the model runs: auto, cpu or cuda.", _device),
    Setting(
        "AFLOC_HOST",
        "",
        "Address the page listens on, 0.0.0.0 for every one; empty for this computer only "
        "(or for GRADIO_SERVER_NAME, which Hugging Face Spaces sets).",
        _text_or_none,
    ),
    Setting("AFLOC_PORT", "", "Port the page listens on; empty for the first free one from 7860.", _port),
    Setting("AFLOC_MAX_UPLOAD_MB", "128", "Largest image file the page accepts, in MB.", _number(1, 4096)),
    Setting(
        "AFLOC_IMAGE_MEMORY_MB",
        "1024",
        "Memory for the images of open pages, in MB; the longest unused is dropped first.",
        _number(16, 1_000_000),
    ),
    Setting(
        "AFLOC_DATA_DIR",
        "data",
        "Folder for what readers say (feedback.duckdb), on a local disk; one AFLoc at a time has it open.",
        str,
    ),
    Setting(
        "AFLOC_DATA_URL",
        "",
        "Postgres to keep it in instead, for several AFLocs at once: postgresql://USER:PASSWORD@HOST/NAME.",
        _text_or_none,
    ),
    Setting(
        "AFLOC_CACHE_DIR",
        "",
        "Folder for the encoders as ONNX Runtime reads them, made when first wanted; empty for afloc in the "
        "user's cache.",
        _text_or_none,
    ),
    Setting(
        "AFLOC_BACKUP_DIR",
        "",
        "Where a Parquet copy of it goes, and comes back from: a folder, such as a mounted bucket, or "
        "hf:owner/name, a dataset repository; empty for none.",
        _text_or_none,
    ),
    Setting("AFLOC_BACKUP_MINUTES", "5", "Minutes between copies.", _number(1, 1440)),
    Setting(
        "AFLOC_RETENTION_DAYS",
        "0",
        "Days after which what readers say is erased for good, from the copy too; 0 for never.",
        _number(0, 36_500),
    ),
    Setting(
        "AFLOC_STUDIES_DIR",
        "",
        "Folder of the study files (*.toml) of the Reader study tab; empty for studies in AFLOC_DATA_DIR, "
        "and the demo.",
        _text_or_none,
    ),
    Setting(
        "AFLOC_SETS_DIR",
        "",
        "Folder with sets (CSV or COCO tables) to evaluate in the Ground truth tab; empty for none.",
        _text_or_none,
    ),
    Setting(
        "AFLOC_COORDINATOR_CODE",
        "",
        "Code of the page's coordinator, who makes studies and sees the results over everything; empty for "
        "the one that `python -m afloc study code` prints. A study has a code of its own.",
        _text_or_none,
    ),
    Setting(
        "AFLOC_PASSWORD",
        "",
        "Hash of the password that opens the page, from `python -m afloc password`; empty for no sign-in.",
        _hash_or_none,
        secret=True,
    ),
    Setting(
        "AFLOC_SIGN_IN",
        "",
        "oauth: one signs in with Hugging Face, on a Space; empty for the password, if there is one.",
        _sign_in,
    ),
    Setting(
        "AFLOC_RATE",
        "200",
        "Requests a second that one address may send, ten times as many at once.",
        _number(1, 1_000_000),
    ),
    Setting("AFLOC_RATE_ALL", "1000", "The same for all addresses together.", _number(1, 1_000_000)),
    Setting(
        "AFLOC_PROXIES",
        "",
        "The reverse proxies whose X-Forwarded-For is believed: how many stand one behind the other (* for "
        "1), or their addresses or networks with commas between; empty for this computer (on Hugging Face "
        "Spaces for the hub's).",
        _proxies,
    ),
    Setting(
        "AFLOC_HOSTS",
        "",
        "Names the page is asked for by, with commas between, *.example.org for all below one, * for any. "
        "Addresses, names without a dot and this computer's own always are; empty for these (on Hugging Face "
        "Spaces for any).",
        _hosts,
    ),
    Setting(
        "AFLOC_METRICS_TOKEN",
        "",
        "Bearer token that `/metrics` asks for; empty to answer this computer only.",
        _text_or_none,
    ),
    Setting(
        "AFLOC_DICOMWEB_URL",
        "",
        "DICOMweb address of a PACS to search and to open images from; empty for none. It needs afloc[pacs].",
        _web_address_or_none,
    ),
    Setting("AFLOC_DICOMWEB_USER", "", "Name the PACS knows this page by; empty for none.", _text_or_none),
    Setting("AFLOC_DICOMWEB_PASSWORD", "", "Password for that name.", _text_or_none, secret=True),
    Setting(
        "AFLOC_DICOMWEB_TOKEN", "", "Bearer token for the PACS instead of both.", _text_or_none, secret=True
    ),
    Setting(
        "AFLOC_DICOMWEB_SEND",
        "",
        "yes: who uses the page may send results to the PACS; empty for reading only.",
        _yes,
    ),
    Setting("AFLOC_LOG", "text", "The log on stderr: text (problems only) or json (every request).", _log),
)

_Fields = namedtuple("_Fields", [setting.field for setting in SETTINGS])  # type: ignore[misc]  # not a literal


class Settings(_Fields):
    """The value of every setting, by its field."""

    if TYPE_CHECKING:

        def __getattr__(self, field: str) -> Any: ...


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Every setting's value; SettingsError names the first one that is not accepted."""
    return Settings(*(_read(setting, environment) for setting in SETTINGS))


def read_setting(name: str) -> Any:
    """The value of one setting, for what the commands read too; SettingsError where it is not accepted."""
    return next(_read(setting, os.environ) for setting in SETTINGS if setting.name == name)


def _read(setting: Setting, environment: Mapping[str, str]) -> Any:
    text = environment.get(setting.name, setting.default).strip()
    try:
        return setting.parse(text)
    except ValueError as error:
        given = "" if setting.secret else f" is {text!r}; it"
        raise SettingsError(f"{setting.name}{given} takes {error}.") from None
