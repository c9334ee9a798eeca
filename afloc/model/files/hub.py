"""Fetch named files of a repository on the Hugging Face hub."""

import hashlib
import re
from pathlib import Path

from afloc.errors import ModelError

_REVISION = re.compile(r"(?!.*\.\.)[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REPOSITORY = re.compile(r"(?!.*(\.\.|--))[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)


def download(repository: str, files: tuple[str, ...], purpose: str) -> Path:
    """A local folder with those of `files` that `repository` has; ModelError where it cannot be had.

    `repository`: "owner/name", or "owner/name@revision" for a branch, a tag or, so that it never changes, a
    commit. Each file is held against the hash that the hub names it by.
    """
    name, at, revision = repository.partition("@")
    if not _REPOSITORY.fullmatch(name) or (at and not _REVISION.fullmatch(revision)):
        raise ModelError(
            f"{repository[:100]!r} is neither a folder here nor a name on the hub: give {purpose}."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        folder = snapshot_download(
            name, revision=revision or None, allow_patterns=list(files), etag_timeout=10
        )
    except GatedRepoError:
        raise ModelError(f"{repository} on the Hugging Face hub needs its owner's permission.") from None
    except RepositoryNotFoundError:
        raise ModelError(f"There is no {repository} on the Hugging Face hub: give {purpose}.") from None
    except Exception:  # no network shows as any of a dozen types
        raise ModelError(
            f"{repository} is not on this machine and the Hugging Face hub cannot be reached: "
            f"connect to the network, or give {purpose}."
        ) from None
    check_hashes(Path(folder), repository)
    return Path(folder)


def check_hashes(folder: Path, repository: str) -> None:
    """ModelError where a file of a snapshot is not what its blob's name says: a SHA-256, or Git's SHA-1.

    Where the file system has no links there are no such names, and nothing can be checked.
    """
    for file in folder.rglob("*"):
        expected = file.resolve().name
        if not file.is_file() or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", expected):
            continue
        digest = hashlib.sha256()
        if len(expected) == 40:
            digest = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
        with open(file, "rb") as content:
            while part := content.read(1 << 20):
                digest.update(part)
        if digest.hexdigest() != expected:
            raise ModelError(f"{file.name} of {repository} is not what the hub has: delete it and try again.")
