"""A real browser for the tests: headless Chromium, driven by Playwright. Where there is none, tests skip and say so."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PATIENCE = 60_000  # milliseconds: the machine may be busy


@dataclass
class Browser:
    """Opens pages, and remembers every JavaScript error of each."""

    playwright_browser: object
    errors: list[str] = field(default_factory=list)

    @contextmanager
    def page(self, url: str, width: int = 1280, height: int = 900, *, has_network: bool = True) -> Iterator:
        """A page of its own that is loading `url`; without network it must have all in itself."""
        context = self.playwright_browser.new_context(
            viewport={"width": width, "height": height}, offline=not has_network
        )
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(f"{url}: {error}"))
        page.on("dialog", lambda dialog: (self.errors.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        if not has_network:
            page.on("console", lambda said: said.type in ("error", "warning") and self.errors.append(said.text))
            page.on("request", lambda request: request.url == url or self.errors.append(f"asked for {request.url}"))
        page.goto(url)
        try:
            yield page
        finally:
            context.close()


def program() -> str | None:
    """The path of this machine's browser, if it has one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of this machine."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install '.[test]')")
    if program() is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=list(ARGUMENTS))
        try:
            yield Browser(browser)
        finally:
            browser.close()
