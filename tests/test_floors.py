"""The floors of the house: what each folder of afloc/ may import, read from the source."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1] / "afloc"
GROUND = {
    "errors",
    "files",
    "intervals",
    "passwords",
    "resources",
    "schema",
    "settings",
    "text",
}  # modules
BELOW = GROUND | {"imaging", "language"}
MAY_IMPORT = dict.fromkeys(GROUND, GROUND) | {
    "imaging": GROUND,
    "language": GROUND | {"imaging"},
    "model": BELOW,
    "inference": BELOW | {"model"},
    "batch": BELOW | {"model", "inference"},
    "pacs": BELOW | {"model", "inference"},
    "evaluation": BELOW | {"model", "inference", "batch"},
    "training": BELOW | {"model", "inference", "batch", "evaluation"},
    "feedback": BELOW | {"evaluation"},
    "web": BELOW | {"model", "inference", "batch", "pacs", "evaluation", "feedback"},
}
MAY_IMPORT["cli"] = MAY_IMPORT["web"] | {"training", "web"}
HEAVY = {"gradio", "duckdb"}
LARGEST = 15 * 1024  # bytes


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of afloc/ by its name."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.AST) -> set[tuple[str, str]]:
    """(module, name) of every import, also those in functions and those for types only; "" for a module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                found.add((module, "") if module in modules() else (node.module, alias.name))
    return found


@cache
def all_imports() -> dict[str, set[tuple[str, str]]]:
    """What each module imports, by its name."""
    return {name: imports(tree) for name, tree in modules().items()}


def floor(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_folder_imports_from_below_only():
    wrong = [
        f"{name} imports {module}"
        for name, found in all_imports().items()
        for module, _ in found
        if floor(name) in MAY_IMPORT and module.startswith("afloc.")
        if floor(module) not in MAY_IMPORT[floor(name)] | {floor(name)}
    ]
    assert not wrong
    floors = {floor(name) for name in modules()} - {"", "__main__"}
    assert floors <= MAY_IMPORT.keys(), "a folder has no floor"


def test_no_module_imports_itself_by_way_of_others():
    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in seen:
            for module, _ in sorted(all_imports()[name]):
                if module in modules():
                    walk(module, (*way, name))
        seen.add(name)

    seen: set[str] = set()
    for name in sorted(modules()):
        walk(name, ())


def test_no_private_name_is_imported():
    private = [(name, *each) for name, found in all_imports().items() for each in found if _is_private(*each)]
    assert not private


def _is_private(module: str, name: str) -> bool:
    inside = [*module.split(".")[1:], name]
    return module.startswith("afloc") and any(
        part.startswith("_") and not part.startswith("__") for part in inside
    )


def test_neither_gradio_nor_duckdb_below_the_page_and_the_store():
    above = {"web", "feedback", "cli"}
    heavy = [
        (name, module)
        for name, found in all_imports().items()
        for module, _ in found
        if floor(name) not in above and module.split(".")[0] in HEAVY
    ]
    assert not heavy


def test_no_module_is_too_long():
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in ROOT.rglob("*.py")}
    assert not {name for name, size in sizes.items() if size > LARGEST}
