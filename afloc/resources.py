"""Where assets/ lies: beside the package, or inside it once installed."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "assets"
ASSETS = ROOT / "viewer"


def read_asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
