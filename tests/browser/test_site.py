"""The documentation site in a real browser, as `./lab docs` serves it; it needs no lab.

Every page is opened on a phone's width: what it loads, what it prints to the console, what it links
to. The first page, a lesson and the reference are looked at in light and in dark as well.
"""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urldefrag, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from labkit.setup.host import speed
from tests.browser.conftest import ROOT, kept

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
LOOKED_AT = ["", "notebooks/00-start/", "notebooks/05-models-everywhere/", "reference/"]
FACTS = """() => ({
  links: [...document.querySelectorAll("a[href]")].map(a => a.href),
  ids: [...document.querySelectorAll("[id], a[name]")].map(e => e.id || e.name),
  wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""
# the luminance of the page's text and of what is behind it, as WCAG defines it
CONTRAST = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const text = document.querySelector(".md-content p, .md-content td");
  const alpha = Number((getComputedStyle(text).color.match(/[\\d.]+/g) || [])[3] ?? 1);
  const behind = light(getComputedStyle(document.body).backgroundColor);
  const front = alpha * light(getComputedStyle(text).color) + (1 - alpha) * behind;
  const [low, high] = [front, behind].sort((a, b) => a - b);
  return {behind, ratio: (high + 0.05) / (low + 0.05)};
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a site that `./lab docs` serves; it has to end by Ctrl-C, with 0."""
    words = [sys.executable, "-P", "-m", "labkit", "docs", "--port", "0"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            printed = ""
            while not (found := re.search(r"http://127\.0\.0\.1:\d+/", printed)):
                line = process.stdout.readline()
                assert line, f"it ended with {process.wait()} before it served: {printed}"
                printed += line
            yield found[0]
            process.send_signal(signal.SIGINT)
            assert process.wait(speed.deadline(30)) == 0
        finally:
            process.kill()


class Seen:
    """What a page did while it was open."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.problems: list[str] = []
        page.set_default_timeout(speed.deadline(30_000))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("response", lambda answer: self._answered(answer.status, answer.url))
        page.on("pageerror", lambda error: self.problems.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self._printed(message.type, page.url, message.text))

    def _answered(self, status: int, url: str) -> None:
        if status >= 400:
            self.problems.append(f"{url}: {status}")

    def _printed(self, kind: str, url: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(f"{url}: {text}")


@pytest.fixture(scope="module")
def crawled(site: str, browser: Browser) -> tuple[Seen, dict[str, dict]]:
    """All pages that links lead to from the first one on, each opened on a phone's width."""
    page = browser.new_context(viewport=PHONE).new_page()
    seen, pages, left = Seen(page), {}, [site]
    while left:
        url = left.pop()
        if url in pages:
            continue
        page.goto(url)
        pages[url] = page.evaluate(FACTS)
        here = {urldefrag(link).url for link in pages[url]["links"] if link.startswith(site)}
        left += sorted(link for link in here - pages.keys() if link.endswith("/"))
    page.context.close()
    return seen, pages


def test_every_page_is_reached_from_the_first(site, crawled):
    paths = {url.removeprefix(site) for url in crawled[1]}
    files = [*(ROOT / "docs").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    assert {f"{file.parent.name}/{file.stem}/" for file in files} - paths == set()
    assert "reference/" in paths


def test_no_page_reports_an_error_or_a_warning(crawled):
    assert crawled[0].problems == []


def test_nothing_is_loaded_from_elsewhere(site, crawled):
    hosts = {urlsplit(url).netloc for url in crawled[0].requests if not url.startswith("data:")}
    assert hosts == {urlsplit(site).netloc}


def test_every_link_inside_of_the_site_leads_to_a_page_and_to_its_heading(site, crawled, browser):
    context = browser.new_context()
    broken = []
    for url, facts in crawled[1].items():
        for link in set(facts["links"]):
            target, anchor = urldefrag(link)
            if not target.startswith(site):
                continue
            if target in crawled[1]:
                missing = anchor and anchor not in crawled[1][target]["ids"]
            else:
                missing = not context.request.get(target).ok
            if missing:
                broken.append(f"{url} → {link}")
    context.close()
    assert broken == []


def test_a_page_that_is_not_there_is_answered_with_the_sites_own(site, browser):
    context = browser.new_context()
    answer = context.request.get(f"{site}nowhere/")
    assert answer.status == 404
    assert "labkit" in answer.text()
    context.close()


def test_no_page_scrolls_sideways_on_a_phone(crawled):
    assert {url: facts["wider"] for url, facts in crawled[1].items() if facts["wider"] > 0} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_light_or_dark_as_the_machine_is_and_can_be_read(site, browser, scheme):
    for size, name in ((DESK, "desk"), (PHONE, "phone")):
        page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
        seen = Seen(page)
        for path in LOOKED_AT:
            page.goto(site + path)
            found = page.evaluate(CONTRAST)
            assert (found["behind"] < 0.1) == (scheme == "dark"), path
            assert found["ratio"] >= 4.5, path
            kept(page, f"site-{path.rstrip('/').rpartition('/')[2] or 'start'}-{name}-{scheme}")
        assert seen.problems == []
        page.context.close()


def test_the_search_finds_a_mistake_by_its_symptom(site, browser):
    page = browser.new_context(viewport=DESK).new_page()
    seen = Seen(page)
    page.goto(site)
    page.get_by_role("textbox", name="Search").fill("ImagePullBackOff")
    first = page.locator(".md-search-result__link[href*=troubleshooting]").first
    expect(first).to_be_visible()
    kept(page, "site-search")
    first.click()
    expect(page).to_have_url(re.compile("/docs/troubleshooting/"))
    assert seen.problems == []
    page.context.close()
