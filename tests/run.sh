#!/usr/bin/env bash
# Installs what the tests need into .venv, finds or installs Chromium, checks the style and runs the tests.
# Arguments go to pytest: bash tests/run.sh -k geometry
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt -r tests/requirements.txt

if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null
    elif ! .venv/bin/playwright install chromium; then
        echo "The page's tests need Chromium: install it (for example: sudo apt-get install chromium) and run this again." >&2
        exit 1
    fi
fi

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then  # without them the tests that need them are skipped
    command -v dcm2pnm >/dev/null || apt-get install -y -qq --no-install-recommends dcmtk >/dev/null || true
    command -v nginx >/dev/null || apt-get install -y -qq --no-install-recommends nginx-light >/dev/null || true
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
        apt-get install -y -qq --no-install-recommends postgresql >/dev/null || true
fi

.venv/bin/ruff check .
.venv/bin/ruff format --check .
exec .venv/bin/python -m pytest "$@"
