"""AFLoc: type a description of a pathology, see where a vision-language model finds it in a medical image.

    import afloc
    model = afloc.load_model()
    view = model.encode(afloc.read_image("film.png"))
    view.locate("small left pleural effusion").heatmap

The names below are imported on first use, so that `import afloc` costs nothing.
"""

import os
from importlib import import_module

__version__ = "0.1.0"


# Read when PyTorch is loaded: its threads rest some microseconds after their work. By default they spin for
# milliseconds, and so take cores from ONNX Runtime, which encodes, and from whoever shares the machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


# No library tells its maker that it is used. Each reads its variable when it is imported, here and in what is
# started from here: ONNX Runtime would leave a lasting id below the home folder and call a server.
os.environ.update(ORT_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_TELEMETRY="1", RAY_USAGE_STATS_ENABLED="0")


_HOMES = {
    "load_model": "afloc.inference.model",
    "Model": "afloc.inference.model",
    "View": "afloc.inference.view",
    "Finding": "afloc.inference.finding",
    "read_image": "afloc.imaging.image",
    "image_from_array": "afloc.imaging.image",
    "image_size": "afloc.imaging.image",
    "Image": "afloc.imaging.image",
    "AFLocError": "afloc.errors",
    "DataError": "afloc.errors",
    "DescriptionError": "afloc.errors",
    "ImageError": "afloc.errors",
    "ModelError": "afloc.errors",
    "SettingsError": "afloc.errors",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'afloc' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
