"""Fetch named files of a repository on the Hugging Face hub."""

import re
from pathlib import Path

from afloc.errors import ModelError

_REPOSITORY = re.compile(r"(?!.*(\.\.|--))[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)


def download(repository: str, files: tuple[str, ...], purpose: str) -> Path:
    """A local folder with those of `files` that `repository` ("owner/name") has; ModelError where it cannot
    be had."""
    if not _REPOSITORY.fullmatch(repository):
        raise ModelError(
            f"{repository[:100]!r} is neither a folder here nor a name on the hub: give {purpose}."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(repository, allow_patterns=list(files), etag_timeout=10))
    except GatedRepoError:
        raise ModelError(f"{repository} on the Hugging Face hub needs its owner's permission.") from None
    except RepositoryNotFoundError:
        raise ModelError(f"There is no {repository} on the Hugging Face hub: give {purpose}.") from None
    except Exception:  # no network shows as any of a dozen types
        raise ModelError(
            f"{repository} is not on this machine and the Hugging Face hub cannot be reached: "
            f"connect to the network, or give {purpose}."
        ) from None
