"""Modules joined into one: what runs is what they say, and what cannot be joined is told."""

import re

import pytest

from afloc.web.joined_modules import ModuleFormError, join, use_joined, what_it_needs
from afloc.web.page_files import JOINED, page_files

MODULES = {
    "shared/words.js": """
const start = "a";
export const word = (end) => start + end;
""",
    "viewer/film.js": """
import { word } from "../shared/words.js";
const start = 1;
export async function film() { return (await import("./late.js")).late(word("b"), start); }
""",
    "viewer/stage.js": """
import { word as say } from "../shared/words.js";
import { film } from "./film.js";
export const stage = async () => [say("c"), await film()];
""",
    "viewer/late.js": """
import { word } from "../shared/words.js";
export const late = (...all) => [...all, word("d")];
""",
}


def served():
    scripts = {name: file.plain.decode() for name, file in page_files().items() if name.endswith(".js")}
    assert JOINED in scripts and len(scripts) > 20
    return scripts


def test_joined_modules_do_what_they_did(chromium):
    joined = what_it_needs("viewer/stage.js", MODULES)
    assert joined == ["shared/words.js", "viewer/film.js"]
    rest = {name: script for name, script in MODULES.items() if name not in joined}
    sent = {name: use_joined(name, script, joined, "all/one.js") for name, script in rest.items()}
    sent["all/one.js"] = join(joined, MODULES, "all/one.js")
    for files in (MODULES, sent):
        with chromium.new_context() as context:
            page = context.new_page()

            def answer(route, request, files=files):
                body = files.get(request.url.removeprefix("http://page.test/"), "")
                route.fulfill(body=body, content_type="text/javascript" if body else "text/html")

            page.route("**", answer)
            page.goto("http://page.test/")
            said = page.evaluate("async () => (await import('/viewer/stage.js')).stage()")
            assert said == ["ac", ["ab", 1, "ad"]]


@pytest.mark.parametrize(
    "script",
    [
        "export default 1;",
        "export * from './words.js';",
        'import words from "./words.js";',
        'import * as words from "./words.js";',
        "const one = 1;\nexport { one };",
        "export let one = 1;",
        "export const word = 1;",
    ],
)
def test_what_cannot_be_joined_is_told(script):
    with pytest.raises(ModuleFormError, match="viewer/other.js"):
        join(["shared/words.js", "viewer/other.js"], MODULES | {"viewer/other.js": script}, "all/one.js")


def test_a_circle_and_a_module_that_is_not_there_are_told():
    for path in ("./stage.js", "./gone.js"):
        circle = MODULES | {"viewer/film.js": f'import {{ stage }} from "{path}";\n'}
        with pytest.raises(ModuleFormError, match=r"viewer/(film|gone)\.js"):
            what_it_needs("viewer/stage.js", circle)


def test_every_name_that_is_imported_is_exported():
    scripts = served()
    exports = {
        name: set(re.findall(r"^export .*?(?:function|const|class) (\w+)", text, re.M))
        for name, text in scripts.items()
    }
    exports[JOINED] = set(re.findall(r"\w+", scripts[JOINED].rpartition("export {")[2]))
    for name, text in scripts.items():
        folder = name.split("/")[0]
        for names, path in re.findall(r'^import \{ (.+) \} from "(.+)";$', text, re.M):
            target = (
                path.removeprefix("../") if path.startswith("..") else f"{folder}/{path.removeprefix('./')}"
            )
            wanted = {each.split(" as ")[0] for each in names.split(", ")}
            assert wanted <= exports[target], f"{name} imports {wanted - exports[target]} from {target}"
        for path in re.findall(r'\bimport\("(.+?)"\)', text):
            assert (
                path.removeprefix("../") if path.startswith("..") else f"{folder}/{path.removeprefix('./')}"
            ) in scripts
