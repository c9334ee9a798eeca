"""`afloc deploy`: send the project to a Space on the Hugging Face hub.

The files go through the hub's own upload, which takes large ones that plain git would refuse. The head of
README.md says what the Space runs.
"""

import argparse
from pathlib import Path

from afloc.errors import SettingsError

ROOT = Path(__file__).parents[2]
SENT = ["app.py", "README.md", "LICENSE", "requirements.txt", "pyproject.toml", "afloc/*", "assets/*"]
LEFT_OUT = ["**/__pycache__/*", "*.duckdb*", ".env*"]


def add_deploy(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("deploy", help="make or update a Hugging Face Space with this page")
    parser.add_argument("space", metavar="OWNER/NAME", help="the Space")
    parser.add_argument("--private", action="store_true", help="for its owner only")
    parser.add_argument("--hardware", metavar="NAME", help="such as cpu-basic, t4-small or zero-a10g")
    parser.add_argument(
        "--model", help="the model it uses, such as hf:owner/name (default: the embedded one)"
    )
    parser.set_defaults(run=run_deploy)


def run_deploy(arguments: argparse.Namespace) -> None:
    print(deploy(arguments.space, arguments.private, arguments.hardware, arguments.model))


def deploy(name: str, private: bool = False, hardware: str | None = None, model: str | None = None) -> str:
    """Make or update the Space `name` ("owner/name"); returns its address.

    `hardware` as the hub names it ("cpu-basic", "t4-small", "zero-a10g"), `model` as AFLOC_MODEL takes it; of
    a Space that exists, they change only if given. The user is signed in as `hf auth login` or HF_TOKEN says.
    SettingsError where the hub refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    if not (ROOT / "app.py").is_file():
        raise SettingsError(
            "A Space is made from a checkout of AFLoc: clone it, and run python -m afloc there."
        )
    if name.count("/") != 1:
        raise SettingsError(f"{name!r} is no Space: give OWNER/NAME.")
    api = HfApi()
    try:
        url = api.create_repo(name, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        if model is not None:
            api.add_space_variable(name, "AFLOC_MODEL", model)
        if hardware is not None:
            api.request_space_hardware(name, hardware)  # type: ignore[arg-type]  # a name is enough
        api.upload_folder(
            repo_id=name,
            repo_type="space",
            folder_path=ROOT,
            allow_patterns=SENT,  # no image, result or study file that lies about here
            ignore_patterns=LEFT_OUT,
            commit_message="Update AFLoc",
        )
    except LocalTokenNotFoundError:
        raise SettingsError("You are not signed in to the Hugging Face hub: run hf auth login.") from None
    except HFValidationError:
        raise SettingsError(f"{name!r} is no name for a Space: give OWNER/NAME.") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        raise SettingsError(
            f"The Hugging Face hub refused {name} ({status}): sign in with hf auth login as somebody who may "
            "write there."
        ) from None
    except Exception:  # no network shows as any of a dozen types
        raise SettingsError("The Hugging Face hub cannot be reached: connect to the network.") from None
    return str(url)
