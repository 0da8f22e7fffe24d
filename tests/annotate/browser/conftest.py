"""A real browser: the system's Chromium, steered by playwright."""

import os
import shutil

import pytest

IS_NEEDED = bool(os.environ.get("SKPOSE_NEED_BROWSER"))


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        if IS_NEEDED:
            pytest.fail("SKPOSE_NEED_BROWSER is set, but there is no Chromium or no playwright")
        pytest.skip("needs Chromium, and playwright of the extra test-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Opens pages; a test fails if one of them has errors or asks another host for anything."""
    contexts, wrong = [], []

    def open_page(url, *, context=None, **options):
        if context is None:
            context = browser.new_context(**{"viewport": {"width": 1024, "height": 640}, **options})
            context.set_default_timeout(8000)
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: _note(line, wrong))
        page.on("request", lambda request: _check_host(request.url, wrong))
        page.goto(url)
        page.wait_for_selector("body[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


def _note(line, wrong):
    is_expected = "Failed to load resource" in line.text  # the tests take the server away
    if line.type in ("error", "warning") and not is_expected:
        wrong.append(line.text)


def _check_host(url, wrong):
    if not url.startswith(("http://127.0.0.1:", "blob:")):
        wrong.append(f"asked for {url}")
