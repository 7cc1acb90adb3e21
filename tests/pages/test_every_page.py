"""Every page, with the network cut: nothing is asked for, nothing goes wrong, all can read it."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from built_site import ROOT, SITE, figures, pages, source
from conftest import redirects

from benchmarks.page_speed import FIRST_VISIT_LIMIT, HTML_LIMIT, first_visit

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
DEAD = (  # what ipywidgets and plotly's own renderers leave behind, dead without a kernel or a CDN
    "application/vnd.jupyter.widget",
    "require.js",
    "require.min.js",
    "html-manager",
    "cdn.plot.ly",
)
FINDINGS = """async (rules) => {
  // Not into the views of bertviz: a sandboxed frame answers no one.
  const { violations } = await axe.run({ resultTypes: ["violations"], iframes: false, ...rules });
  return violations.filter((v) => ["serious", "critical"].includes(v.impact))
    .flatMap((v) => v.nodes.map((n) => `${v.id} at ${n.target}: ${n.failureSummary}`));
}"""
OF_SPHINX = {"index.html", "genindex.html", "search.html"}
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}


class Elements(HTMLParser):
    """The addresses a page loads, the ones it links to, and the ids it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids |= {attributes.get("id"), attributes.get("name")}
        if tag == "a":
            self.links.append(attributes.get("href") or "")
        elif tag == "link":
            if attributes.get("rel") not in ("canonical", "index", "search", "next", "prev"):
                self.loads.append(attributes.get("href") or "")
        elif tag in LOADED:
            self.loads.append(attributes.get(LOADED[tag]) or "")


def test_the_site_has_pages_and_figures():
    assert len([p for p in pages() if p.startswith("chapters/")]) >= 2
    assert figures(), "There is no interactive figure on any page."
    names = [str(f) for f in figures()]
    assert len(set(names)) == len(names)


def test_only_the_book_is_published():
    # Folders that begin with a dot, .venv among them, are easily taken for chapters.
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    chapters = re.findall(r"(?:file|root): *(\S+)", toc)
    assert set(pages()) - OF_SPHINX == {f"{chapter}.html" for chapter in chapters}


@pytest.mark.parametrize("page", [p for p in pages() if redirects(p)])
def test_a_redirect_leads_to_a_page(page):
    target = re.search(r"url=([^\"]+)", source(page)).group(1)
    assert (SITE / page).parent.joinpath(target).is_file()


def test_nothing_dead_or_broken_is_published(html_page):
    text = source(html_page)
    assert not [mark for mark in DEAD if mark in text]
    assert "Traceback (most recent call last)" not in text
    assert not re.search(r'class="[^"]*\b(traceback|stderr)\b', text)


def test_everything_a_page_names_is_there(html_page):
    elements = Elements(source(html_page))
    assert not [a for a in elements.loads if urlsplit(a).netloc], "It loads from another host."
    missing = []
    for address in elements.loads + elements.links:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        path = (SITE / html_page).parent / unquote(parts.path) if parts.path else SITE / html_page
        if not path.exists():
            missing.append(address)
        # A single # is a button of the theme, #figure?… the state of a figure.
        elif (anchor := unquote(parts.fragment).split("?")[0]) and path.suffix == ".html":
            target = Elements(path.read_text(encoding="utf-8"))
            if anchor not in target.ids:
                missing.append(address)
    assert not missing


@pytest.mark.parametrize("file", [False, True], ids=["http", "file"])
def test_a_page_asks_for_nothing_and_draws_all(html_page, file, visit):
    # The fixture fails the test for a request that leaves, a missing file, an error, a warning.
    visit(html_page, file=file).draw()


def test_a_page_is_accessible_in_both_themes(html_page, visit):
    assert AXE.is_file(), "axe-core is not installed: run `make front`."
    reader = visit(html_page)
    reader.draw()
    reader.page.evaluate(AXE.read_text(encoding="utf-8"))
    # Colours fade from one theme to the other; what counts is where they end.
    reader.page.add_style_tag(content="* { transition: none !important }")
    found = []
    for theme in ("light", "dark"):
        reader.page.emulate_media(color_scheme=theme)
        reader.page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
        # Only colours depend on the theme.
        rules = {} if theme == "light" else {"runOnly": ["color-contrast"]}
        found += [f"{theme}: {finding}" for finding in reader.page.evaluate(FINDINGS, rules)]
    assert not found, "\n".join(found)


def test_a_page_fits_a_phone(html_page, visit):
    reader = visit(html_page, width=375, has_touch=True, is_mobile=True)
    reader.draw()
    width, wide = reader.page.evaluate(
        """() => [document.documentElement.scrollWidth,
          [...document.querySelectorAll("main *")]
            .filter((e) => e.getBoundingClientRect().right > 376).slice(0, 5)
            .map((e) => e.outerHTML.slice(0, 120))]"""
    )
    assert width <= 375, f"The page is {width} pixels wide: {wide}"
    small = reader.page.evaluate(
        """() => [...document.querySelectorAll(
            ".sv-controls input:not([type=radio], [type=checkbox]), .sv-controls button, " +
            ".sv-controls label:has(input), .sv-tools button, .sv-tools a, .sv-predict summary")]
          .map((e) => [e.outerHTML.slice(0, 120), e.getBoundingClientRect()])
          .filter(([_, box]) => box.width < 24 || box.height < 24)
          .map(([html, box]) => [html, box.width, box.height])"""
    )
    assert not small, f"Too small for a thumb: {small}"


def test_a_page_is_light(html_page, visit, capsys):
    size = (SITE / html_page).stat().st_size
    reader = visit()
    first = first_visit(reader.page, reader.address, html_page, SITE)
    with capsys.disabled():
        print(f"\n{html_page}: {size / 1000:.0f} KB of HTML, first visit {first / 1000:.0f} KB")
    assert size <= HTML_LIMIT
    assert first <= FIRST_VISIT_LIMIT


CHAPTERS = [p for p in pages() if (ROOT / p).with_suffix(".ipynb").is_file()]


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_can_be_launched(page):
    book = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    repository = urlsplit(book["url"]).path.strip("/")
    binder = f"https://mybinder.org/v2/gh/{repository}/{book['branch']}?urlpath=lab/tree/"
    colab = f"https://colab.research.google.com/github/{repository}/blob/{book['branch']}/"
    links = [unquote(link) for link in Elements(source(page)).links]
    for wanted in (binder, colab):
        assert wanted + page.replace(".html", ".ipynb") in links
