"""stub"""

from afloc.locate import load_model


def load_any(source, device):
    return load_model(source, device, image_cache_bytes=0)
