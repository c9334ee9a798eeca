"""Every route of ours, named once, and those of gradio that our code speaks of; where a proxy has them."""

import os
from urllib.parse import urlsplit

HEALTH, FIGURES = "/health", "/metrics"
LOGIN, LOGOUT = "/login", "/logout"
HUB_LOGIN, HUB_CALLBACK = "/login/huggingface", "/login/callback"  # gradio's sign-in with Hugging Face

IMAGES = "/afloc/images"
SETS, RUNS = "/afloc/sets", "/afloc/runs"
FIGURE = "/afloc/figure"  # files of an image with ground truth
STUDY = "/afloc/study"
EDITOR = "/afloc/studies"  # making and running studies
EXPORT = "/afloc/export"
PACS = "/afloc/pacs"
DICOM = "/afloc/dicom"  # results as DICOM files
PLOTLY = "/afloc/plotly.js"
CARD = "/afloc/card"  # the model card
PAGE = "/afloc/page"  # scripts and style sheets
OWN = (IMAGES, SETS, RUNS, FIGURE, EDITOR, STUDY, EXPORT, PLOTLY, PACS, DICOM, CARD)

UPLOAD = "/gradio_api/upload"  # files for the named endpoints
CALL = "/gradio_api/call/"  # the named endpoints
JOIN = "/gradio_api/queue/join"  # the same, as gradio_client asks them
SERVER_FUNCTIONS = "/gradio_api/component_server"  # what the page's scripts call


def public_path(route: str) -> str:
    """A route as a browser has to ask for it: below the path, or the address, of GRADIO_ROOT_PATH."""
    root = urlsplit(os.environ.get("GRADIO_ROOT_PATH", "")).path.strip("/")
    return f"/{root}{route}" if root else route
