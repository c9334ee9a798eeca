"""gradio without the type stubs that it would write for editors.

For each class of a component, gradio parses its own source and writes a `.pyi` file beside it, at every
import: a second of each start, and a write into the installed package.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_WRITER = "gradio.component_meta"


class _WithoutStubs(PathFinder):
    """Finds the module that writes them, and has it write none."""

    @classmethod
    def find_spec(cls, name: str, path=None, target=None) -> ModuleSpec | None:
        if name != _WRITER or not (spec := super().find_spec(name, path, target)) or not spec.loader:
            return None
        execute = spec.loader.exec_module

        def execute_without(module: ModuleType) -> None:
            execute(module)
            module.create_or_modify_pyi = lambda *_: None  # type: ignore[attr-defined]

        spec.loader.exec_module = execute_without  # type: ignore[method-assign]
        return spec


def write_no_stubs() -> None:
    """For the import of gradio that comes after this call; without effect where it is imported."""
    sys.meta_path.insert(0, _WithoutStubs)
