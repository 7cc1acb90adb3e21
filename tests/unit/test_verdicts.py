import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import seqviz as sv
from seqviz.verdicts import LEVELS, VERDICT_MIME, claims_table, verdict_html

CHAPTERS = Path(__file__).parents[2] / "chapters"
CLAIMS = json.loads((CHAPTERS / "claims.json").read_text(encoding="utf-8"))
HOSTILE = "</td></script><img src=x onerror=alert(1)>\"'&<b> \u202eabc"

GOOD = sv.Check("good", [1.0], above=0.5)
BAD = sv.Check("bad", [0.1], above=0.5)


class Page(HTMLParser):
    """The tags, attributes and text that a browser would read."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize(
    "checks, level",
    [
        ([GOOD], "holds"),
        ([GOOD, GOOD], "holds"),
        ([GOOD, BAD], "holds with conditions"),
        ([GOOD, BAD, GOOD], "holds with conditions"),
        ([BAD], "does not hold"),
        ([BAD, GOOD], "does not hold"),
    ],
)
def test_the_level_follows_from_the_checks(checks, level):
    assert sv.verdict("claim", *checks, conditions="Small.").level == level
    assert level in LEVELS


@pytest.mark.parametrize(
    "measured, limits, holds",
    [
        ([0.1, 0.2], {"below": 0.3}, True),
        ([0.1, 0.4], {"below": 0.3}, False),  # one seed is enough to fail
        ([0.3], {"below": 0.3}, False),  # the threshold itself is on neither side
        ([0.3], {"above": 0.3}, False),
        ([math.nextafter(0.3, 1)], {"above": 0.3}, True),
        ([math.nextafter(0.3, 0)], {"below": 0.3}, True),
        ([-1], {"above": 0}, False),
        ([-1], {"below": 0}, True),
    ],
)
def test_a_check_holds_if_every_value_is_on_the_right_side(measured, limits, holds):
    assert sv.Check("x", measured, **limits).holds is holds


def test_a_check_takes_what_is_still_to_be_computed():
    assert sv.Check("x", map(float, "123"), above=0).measured == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: sv.Check("x", [1.0]), "one threshold"),
        (lambda: sv.Check("x", [1.0], below=2, above=0), "one threshold"),
        (lambda: sv.Check("x", [1.0], below=math.nan), "threshold is a finite number, not nan"),
        (lambda: sv.Check("x", [1.0], above="0"), "threshold is a finite number, not '0'"),
        (lambda: sv.Check("x", [1.0, math.nan], below=2), r"finite, not \(1.0, nan\)"),
        (lambda: sv.Check("x", [math.inf], above=0), "finite"),
        (lambda: sv.Check("x", [], above=0), "needs measured values"),
        (lambda: sv.Check("x", 0.5, above=0), "a list of measured values, not 0.5"),
        (lambda: sv.Check("x", "12", above=0), "a list of measured values, not '12'"),
        (lambda: sv.verdict("x", conditions="Small."), "at least one check"),
        (lambda: sv.verdict("x", "good", conditions="Small."), "made of checks, not of str"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_verdict_shows_its_numbers_and_carries_its_record():
    checks = [sv.Check("first", [0.25, 3e-7], below=0.5), sv.Check("second", [1], above=2)]
    bundle = sv.verdict("rnn", *checks, conditions="Seeds 0 and 1.")._repr_mimebundle_()
    record = json.loads(json.dumps(bundle[VERDICT_MIME]))
    assert (record["claim"], record["level"]) == ("rnn", "holds with conditions")
    assert record["checks"][0]["measured"] == [0.25, 3e-7]
    page = Page(bundle["text/html"])
    for part in ("holds with conditions", "0.25", "below 0.5", "above 2", "Seeds 0 and 1."):
        assert part in page.text
    assert {"id": "verdict-rnn", "data-level": "holds with conditions"}.items() <= dict(
        page.attributes
    ).items()


def test_a_verdict_cannot_be_markup():
    def tags(text):
        content = sv.verdict(text, sv.Check(text, [1], above=0), conditions=text).json()
        return Page(verdict_html({**content, "level": text}))

    plain, hostile = tags("plain"), tags(HOSTILE)
    assert hostile.tags == plain.tags
    assert len(hostile.attributes) == len(plain.attributes)
    assert hostile.text.count(HOSTILE) == plain.text.count("plain")


def test_a_table_of_claims_cannot_be_markup(tmp_path):
    def tags(text):
        entry = dict.fromkeys(("name", "text", "who", "chapter", "link"), text)
        (tmp_path / "claims.json").write_text(json.dumps([entry]), encoding="utf-8")
        return Page(claims_table(tmp_path / "claims.json")._repr_html_())

    plain, hostile = tags("plain"), tags(HOSTILE)
    assert hostile.tags == plain.tags
    assert len(hostile.attributes) == len(plain.attributes)
    assert hostile.text.count(HOSTILE) == 3 and ("href", HOSTILE) in hostile.attributes


def test_a_claim_without_a_chapter_has_no_link():
    page = Page(claims_table(CHAPTERS / "claims.json")._repr_html_())
    links = [value for key, value in page.attributes if key == "href"]
    assert links == [claim["link"] for claim in CLAIMS if claim["link"]]
    assert [value for key, value in page.attributes if key == "data-claim"] == [
        claim["name"] for claim in CLAIMS
    ]


# The claims of this book


def test_every_claim_is_complete_and_has_a_name_of_its_own():
    names = [claim["name"] for claim in CLAIMS]
    assert len(names) == len(set(names)) == 33
    for claim in CLAIMS:
        assert claim.keys() == {"name", "text", "who", "chapter", "link"}
        assert all(claim[key].strip() for key in ("name", "text", "who", "chapter")), claim
        assert re.fullmatch(r"[a-z0-9-]+", claim["name"])
        assert set(claim["who"].split(", ")) <= {"B", "C", "S"}


def verdicts():
    """The chapter and the claim of every verdict in the book."""
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                source = "".join(cell["source"])
                for name in re.findall(r"sv\.verdict\(\s*[\"']([^\"']*)", source):
                    yield path.stem, name


def test_every_verdict_answers_a_claim_that_links_to_its_chapter():
    links = {claim["name"]: claim["link"] for claim in CLAIMS}
    found = list(verdicts())
    assert found
    for chapter, name in found:
        assert links.get(name) == f"{chapter}.html", name
    assert len({name for _, name in found}) == len(found), "A claim has two verdicts."


def test_every_link_leads_to_a_chapter_with_a_verdict():
    tried = {name for _, name in verdicts()}
    for claim in CLAIMS:
        if claim["link"]:
            assert (CHAPTERS / claim["link"]).with_suffix(".ipynb").is_file()
            assert claim["name"] in tried, f"{claim['name']} has a chapter and no verdict."
