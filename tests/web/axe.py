"""axe-core over the page as it stands, in dark and in light."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def assert_accessible(page: Page, state: str, context: str | None = None) -> None:
    """axe-core finds nothing in `context` (a selector) or the page. Themes differ in colours alone."""
    faults = run(page, context, {})
    switch_theme(page)
    faults += run(page, context, {"runOnly": ["color-contrast"]})
    switch_theme(page)
    assert not faults, state


def run(page: Page, context: str | None, options: dict) -> list[tuple[str, str, list[str]]]:
    found = Axe().run(page, context, {"resultTypes": ["violations"]} | options).response["violations"]
    theme = page.get_attribute("html", "data-theme")
    return [(each["id"], theme, [node["html"][:120] for node in each["nodes"][:4]]) for each in found]


def switch_theme(page: Page) -> None:
    """Also while a dialog is open."""
    page.eval_on_selector("#bar .theme", "button => button.click()")
