#!/usr/bin/env bash
# Installs what the tests need into .venv, finds or installs Chromium, checks style and types and runs the tests.
# Arguments go to pytest: bash tests/run.sh -k geometry. TEST_PROCESSES says how many run at once (2).
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt -r tests/requirements.txt

install() {  # a Debian package, where that can be done; with "needed" it has to be there
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        [ -n "${updated:-}" ] || { apt-get update -qq && updated=1; }
        apt-get install -y -qq --no-install-recommends "$1" >/dev/null && return
    fi
    [ "${2:-}" != needed ]
}

if ! command -v chromium >/dev/null && ! install chromium needed && ! .venv/bin/playwright install chromium; then
    echo "The page's tests need Chromium: install it (for example: sudo apt-get install chromium) and run this again." >&2
    exit 1
fi
# Without these, the tests that need them are skipped.
command -v dcm2pnm >/dev/null || install dcmtk
command -v nginx >/dev/null || install nginx-light
command -v Orthanc >/dev/null || { install orthanc && install orthanc-dicomweb; }
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || install postgresql

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
exec .venv/bin/python -m pytest -n "${TEST_PROCESSES:-2}" "$@"
