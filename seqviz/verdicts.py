"""Verdicts: a claim of 2018, what was measured, the threshold, and what follows from the two."""

from __future__ import annotations

import html
import json
import math
import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqviz.plots.style import power
from seqviz.recordings import recorded_file

VERDICT_MIME = "application/vnd.seqviz.verdict+json"
LEVELS = ("holds", "holds with conditions", "does not hold")


@dataclass(frozen=True)
class Check:
    """One measured statement: it holds if every value is on the right side of the threshold.

    `measured` has one value for each seed. Exactly one of `below` and `above` is given.
    """

    statement: str
    measured: Iterable[float]
    below: float | None = None
    above: float | None = None

    def __post_init__(self) -> None:
        if (self.below is None) == (self.above is None):
            raise ValueError("A check has one threshold: either below=… or above=….")
        threshold = self.below if self.above is None else self.above
        if not isinstance(threshold, numbers.Real) or not math.isfinite(threshold):
            raise ValueError(f"A check's threshold is a finite number, not {threshold!r}.")
        if isinstance(self.measured, str) or not isinstance(self.measured, Iterable):
            raise ValueError(f"A check needs a list of measured values, not {self.measured!r}.")
        measured = tuple(float(v) for v in self.measured)
        if not measured or not all(math.isfinite(v) for v in measured):
            raise ValueError(f"A check needs measured values that are finite, not {measured}.")
        object.__setattr__(self, "measured", measured)

    @property
    def holds(self) -> bool:
        """Whether every measured value is on the right side; the threshold itself is not."""
        if self.below is not None:
            return all(v < self.below for v in self.measured)
        return all(v > self.above for v in self.measured)

    def json(self) -> dict:
        """The record that the book's build reads."""
        return {
            "statement": self.statement, "measured": list(self.measured), "holds": self.holds,
            "below": self.below, "above": self.above,
        }  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What the book's own run says of a claim: computed from its checks, never written by hand.

    The first check is the claim itself. All checks hold: the claim *holds*; the first holds and
    another does not: it *holds with conditions*; the first does not: it *does not hold*.
    """

    claim: str
    checks: tuple[Check, ...]
    conditions: str

    @property
    def level(self) -> str:
        """One of `LEVELS`."""
        if not self.checks[0].holds:
            return LEVELS[2]
        return LEVELS[0] if all(c.holds for c in self.checks) else LEVELS[1]

    def json(self) -> dict:
        """The record that the book's build reads."""
        return {
            "claim": self.claim, "level": self.level, "conditions": self.conditions,
            "checks": [c.json() for c in self.checks],
        }  # fmt: skip

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict:
        content = self.json()
        return {
            VERDICT_MIME: content,
            "text/html": verdict_html(content),
            "text/plain": f"{self.claim}: {self.level}",
        }


def verdict(claim: str, *checks: Check, conditions: str) -> Verdict:
    """The verdict on a claim from measured checks, the first of which is the claim itself.

    `conditions` says at which size, lengths and seeds it was measured. Raises `ValueError` if
    there is no check.
    """
    if not checks:
        raise ValueError("A verdict needs at least one check.")
    if odd := [check for check in checks if not isinstance(check, Check)]:
        raise ValueError(f"A verdict is made of checks, not of {type(odd[0]).__name__}.")
    return Verdict(claim, checks, conditions)


def verdict_html(content: dict) -> str:
    """A verdict as HTML: its level, each check with what was measured, and the conditions."""
    rows = []
    for check in content["checks"]:
        limit = check["below"] if check["below"] is not None else check["above"]
        sign = "below" if check["below"] is not None else "above"
        measured = ", ".join(power(v) for v in check["measured"])
        mark = "yes" if check["holds"] else "no"
        rows.append(
            f"<tr><td>{html.escape(check['statement'])}</td><td>{measured}</td>"
            f'<td class="sv-limit">{sign} {power(limit)}</td><td>{mark}</td></tr>'
        )
    level = html.escape(content["level"])
    return (
        f'<section class="sv-verdict" id="verdict-{html.escape(content["claim"])}" '
        f'data-level="{level}" aria-label="Verdict">'
        f'<p class="sv-level">Verdict: <strong>{level}</strong> '
        f"<code>{html.escape(content['claim'])}</code></p>"
        '<div class="sv-scroll" tabindex="0" role="region" aria-label="What was measured">'
        "<table><thead><tr><th>Measured</th><th>values</th><th>holds if</th><th>holds?</th></tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"<p>{html.escape(content['conditions'])}</p></section>"
    )


@dataclass(frozen=True)
class Claim:
    """One claim of the posts: its name, its words, who made it, and the chapter that tries it."""

    name: str
    text: str
    who: str
    chapter: str
    link: str = ""

    @staticmethod
    def placeholder(name: str, content: str = "not yet tried") -> str:
        """The table cell that the book's build fills with the verdict."""
        return f'<td data-claim="{html.escape(name)}">{content}</td>'


def claims_table(path: str | Path | None = None) -> _Table:
    """The table of the book's claims, or of those in a JSON file; the built book adds verdicts."""
    rows = []
    for entry in json.loads(Path(path or recorded_file("claims.json")).read_text(encoding="utf-8")):
        claim = Claim(**entry)
        chapter = html.escape(claim.chapter)
        if claim.link:
            chapter = f'<a href="{html.escape(claim.link)}">{chapter}</a>'
        rows.append(
            f"<tr><td>{html.escape(claim.text)}</td><td>{html.escape(claim.who)}</td>"
            f"<td>{chapter}</td>{Claim.placeholder(claim.name)}</tr>"
        )
    head = "<tr><th>Claim</th><th>Who</th><th>Chapter</th><th>Verdict</th></tr>"
    return _Table(
        '<div class="sv-scroll" tabindex="0" role="region" aria-label="The claims">'
        f'<table class="sv-claims"><thead>{head}</thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


@dataclass(frozen=True)
class _Table:
    content: str

    def _repr_html_(self) -> str:
        return self.content
