"""Start the page: `python app.py`. Settings are environment variables, listed in afloc/settings.py."""

import sys

from afloc.errors import AFLocError
from afloc.settings import read_settings
from afloc.web.start import start

if __name__ == "__main__":
    try:
        start(read_settings())
    except AFLocError as error:
        sys.exit(f"afloc: {error}")
