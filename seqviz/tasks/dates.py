"""Dates translated between languages, with the month and weekday names of real locales."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from seqviz.tasks.task import Batch, Task, check_whole, generator

if TYPE_CHECKING:
    from babel import Locale

LANGUAGES = {
    "English": "en_GB", "French": "fr", "Spanish": "es", "Turkish": "tr", "Hungarian": "hu",
    "Japanese": "ja", "Arabic": "ar",
}  # fmt: skip
FIRST, LAST = datetime.date(2000, 1, 1), datetime.date(2049, 12, 31)
EVERY = 5  # every fifth day is held out: 5 and 7 share no factor, so all weekdays are
PADDING, END = 0, 1
SPECIAL = ("[padding]", "[end]")
MOST = 8  # dates in a row

# A quoted literal, a field (weekday, day, month or year), or a literal without quotes.
PATTERN = re.compile(r"'([^']*)'|(E+|c+|d+|M+|y+)|([^'EcdMy]+)")
WORD = re.compile(r"\w+")
FIELDS = {"E": "weekday", "c": "weekday", "d": "day", "M": "month", "y": "year"}


@dataclass(frozen=True)
class Sentence:
    """The words of a sentence and what each stands for.

    words    without punctuation
    roles    as many: (date, field), such as (0, "month") for the month of the first date; None for
             a word that says nothing of its own, such as "de" in Spanish
    """

    words: tuple[str, ...]
    roles: tuple[tuple[int, str] | None, ...]

    def right(self, other: "Sentence") -> list[int]:
        """Return for each word the place of its counterpart in another sentence, -1 for none."""
        return [
            other.roles.index(role) if role is not None and role in other.roles else -1
            for role in self.roles
        ]


def write_dates(dates: Sequence[datetime.date], language: str) -> Sentence:
    """Write dates in a row as a language does: each in the locale's full format, without commas.

    Raises ValueError for a language that is not one of `LANGUAGES`, or no date at all.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {language!r}.")
    if not dates:
        raise ValueError("A sentence needs at least one date.")
    words: list[str] = []
    roles: list[tuple[int, str] | None] = []
    for part in _list(language, len(dates)):
        if isinstance(part, int):
            for field, text in _full(language):
                words.append(_name(language, field, dates[part]) if field else text)
                roles.append((part, FIELDS[field[0]]) if field else None)
        else:
            words.append(part)
            roles.append(None)
    return Sentence(tuple(words), tuple(roles))


@cache
def _locale(language: str) -> "Locale":
    from babel import Locale  # here and below, not at the top: few runs need it

    return Locale.parse(LANGUAGES[language])


@cache
def _full(language: str) -> tuple[tuple[str, str], ...]:
    """The full format of a date: (field, "") or ("", literal word), in order."""
    parts = []
    pattern = _locale(language).date_formats["full"].pattern
    for quoted, field, literal in PATTERN.findall(pattern):
        parts += [(field, "")] if field else [("", word) for word in WORD.findall(quoted + literal)]
    return tuple(parts)


@cache
def _list(language: str, count: int) -> tuple[int | str, ...]:
    """How dates are listed: the number of a date, or a word such as "and", in order."""
    from babel.lists import format_list

    places = [f"0{i}0" for i in range(count)]  # digits: no language's list has any
    text = format_list(places, locale=LANGUAGES[language])
    pieces = re.findall(r"0\d0|[^\W\d]+", text)
    return tuple(int(p[1]) if p[0] == "0" else p for p in pieces)


@cache
def _names(language: str, kind: str) -> dict[int, str]:
    locale = _locale(language)
    return dict((locale.days if kind == "weekday" else locale.months)["format"]["wide"])


def _name(language: str, field: str, date: datetime.date) -> str:
    if field[0] in "Ec":
        return _names(language, "weekday")[date.weekday()]
    if field.startswith("MMMM"):
        return _names(language, "month")[date.month]
    return str({"y": date.year, "M": date.month, "d": date.day}[field[0]])


def date_tables(targets: Sequence[str]) -> dict[str, Any]:
    """What it takes to tell whether a date typed in English is translated right, as JSON.

    targets   the languages
    fields    English word -> the part of a date that it is: weekday, day, month or year
    names     language -> English word -> its name there; other words stay as they are
    rows      language -> for each place in a date the part that stands there, or None
    literals  language -> words that say nothing of their own
    """
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(i) for i in range(366)]
    days += [datetime.date(year, 1, 1) for year in range(FIRST.year, LAST.year + 1)]
    fields: dict[str, str] = {}
    names: dict[str, dict[str, str]] = {language: {} for language in targets}
    rows, literals = {}, {}
    for day in days:
        english = write_dates([day], "English")
        fields |= {word: role[1] for word, role in zip(english.words, english.roles) if role}
        for language in targets:
            other = write_dates([day], language)
            for word, place in zip(other.words, other.right(english)):
                if place >= 0 and word != english.words[place]:
                    names[language][english.words[place]] = word
    for language in targets:
        date = write_dates(days[:1], language)
        rows[language] = [role and role[1] for role in date.roles]
        literals[language] = [word for word, role in zip(date.words, date.roles) if role is None]
    return {
        "targets": list(targets), "fields": fields, "names": names, "rows": rows,
        "literals": literals,
    }  # fmt: skip


@dataclass(frozen=True)
class Dates(Task):
    """Translate 1 to `most` dates in a row from a language of `sources` to one of `targets`.

    The names, the order of the words and the word for "and" are those of Babel's locales; every
    date is of 2000 to 2049, and every fifth day is never trained on. All sentences of a batch
    have the same number of dates.

    inputs   a pair of tokens int64: the source (batch, time), and what the decoder is given
             (batch, output time): a tag for its language, then the target but its last token.
             With `tag_in_source` the tag opens the source instead (Johnson et al. 2017, section 3),
             and the decoder always begins from [end].
    targets  tokens (batch, output time), each sentence closed by [end] and padded with 0
    Predictions are (batch, output time, vocabulary). The score is the share of right tokens when
    all tokens before are given.
    Raises ValueError unless `most` lies between 1 and 8, and every language is one of `LANGUAGES`.
    """

    most: int = 1
    sources: tuple[str, ...] = ("English",)
    targets: tuple[str, ...] = tuple(LANGUAGES)[1:]
    tag_in_source: bool = False

    name: ClassVar[str] = "dates"
    metric: ClassVar[str] = "accuracy"
    target: ClassVar[float] = 0.95

    def __post_init__(self) -> None:
        check_whole("most", self.most, at_least=1)
        if self.most > MOST:
            raise ValueError(f"most must be at most {MOST} dates, got {self.most}.")
        for languages in (self.sources, self.targets):
            if not languages or not set(languages) <= set(LANGUAGES):
                raise ValueError(
                    f"sources and targets must be some of {', '.join(LANGUAGES)}, got {languages}."
                )

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The word of every token: special ones, a tag a language, then the words of all."""
        words: dict[str, None] = {}  # a dict keeps the order of insertion
        year = [datetime.date(2024, 1, 1) + datetime.timedelta(i) for i in range(366)]
        years = [datetime.date(y, 1, 1) for y in range(FIRST.year, LAST.year + 1)]
        for language in LANGUAGES:
            for date in year + years:
                words.update(dict.fromkeys(write_dates([date], language).words))
            words.update(dict.fromkeys(write_dates(year[:3], language).words))
        return (*SPECIAL, *(f"[{language}]" for language in LANGUAGES), *words)

    @cached_property
    def _tokens(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.vocabulary)}

    @property
    def input_size(self) -> int:
        """The number of tokens; source and target share one vocabulary."""
        return len(self.vocabulary)

    @property
    def output_size(self) -> int:
        """The number of tokens."""
        return len(self.vocabulary)

    @cached_property
    def chance(self) -> float:
        """The score of always naming the most frequent token, on 1000 held-out sentences."""
        targets = self.held_out(1000, seed=0).targets
        return (targets[targets != PADDING].bincount().max() / (targets != PADDING).sum()).item()

    def batch(self, batch_size: int, seed: int) -> Batch:
        """Draw sentences of days to train on, in two languages each."""
        return self._draw(batch_size, seed, None, held_out=False)

    def held_out(self, batch_size: int, seed: int, dates: int | None = None) -> Batch:
        """Draw sentences of held-out days, of a number of `dates` or of any up to `most`.

        Raises ValueError for fewer than one date or more than 8.
        """
        if dates is not None:
            check_whole("dates", dates, at_least=1)
            if dates > MOST:
                raise ValueError(f"dates must be at most {MOST}, got {dates}.")
        return self._draw(batch_size, seed, dates, held_out=True)

    def translations(
        self, dates: Sequence[Sequence[datetime.date]], source: str, target: str
    ) -> Batch:
        """Return given sentences of dates, from one language to another.

        Raises ValueError if there is none, for a date outside of 2000 to 2049, or for a language
        that is not one of `LANGUAGES`.
        """
        if not dates or not all(FIRST <= day <= LAST for row in dates for day in row):
            raise ValueError(f"There must be sentences of dates from {FIRST} to {LAST}.")
        for language in (source, target):
            if language not in LANGUAGES:
                raise ValueError(
                    f"language must be one of {', '.join(LANGUAGES)}, got {language!r}."
                )
        return self._encode([(row, source, target) for row in dates])

    def read(self, tokens: Tensor) -> tuple[str, ...]:
        """Return the words of one row of tokens (time,), up to its end."""
        words = [self.vocabulary[token] for token in tokens.tolist()]
        stops = [i for i, word in enumerate(words) if word in SPECIAL]
        return tuple(words[: stops[0]] if stops else words)

    def loss(self, prediction: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of a token (in nats), a scalar; padding does not count.

        prediction is (batch, output time, vocabulary); raises ValueError for another shape.
        """
        expected = (*targets.shape, self.output_size)
        if prediction.shape != expected:
            raise ValueError(
                f"prediction must have the shape {expected}, got {tuple(prediction.shape)}."
            )
        return functional.cross_entropy(
            prediction.flatten(0, 1), targets.flatten(), ignore_index=PADDING
        )

    def measure(self, prediction: Tensor, targets: Tensor) -> Tensor:
        """Return the share of right tokens (0 to 1), a scalar; raises ValueError as `loss` does."""
        self.loss(prediction, targets)
        real = targets != PADDING
        right = real & (prediction.argmax(-1) == targets)
        return right.sum() / real.sum().double()

    def _draw(self, batch_size: int, seed: int, dates: int | None, held_out: bool) -> Batch:
        source = generator(batch_size, seed)
        if dates is None:
            dates = int(torch.randint(1, self.most + 1, (), generator=source))
        span = (LAST - FIRST).days + 1
        parts = torch.randint(span // EVERY, (batch_size, dates), generator=source) * EVERY
        if not held_out:  # the days between two that are held out
            parts += torch.randint(1, EVERY, (batch_size, dates), generator=source)
        ones, others = (
            torch.randint(len(names), (batch_size,), generator=source).tolist()
            for names in (self.sources, self.targets)
        )
        return self._encode(
            [
                (
                    [FIRST + datetime.timedelta(day) for day in days],
                    self.sources[i],
                    self.targets[j],
                )
                for days, i, j in zip(parts.tolist(), ones, others)
            ]
        )

    def _encode(self, rows: Sequence[tuple[Sequence[datetime.date], str, str]]) -> Batch:
        sources, targets, starts = [], [], []
        for days, one, other in rows:
            words = [self._tokens[word] for word in write_dates(days, one).words]
            tag = self._tokens[f"[{other}]"]
            sources.append([tag, *words] if self.tag_in_source else words)
            starts.append([END if self.tag_in_source else tag])
            targets.append([self._tokens[word] for word in write_dates(days, other).words] + [END])
        target = _padded(targets)
        given = torch.cat([torch.tensor(starts), target[:, :-1]], 1)
        return Batch((_padded(sources), given), target)


def _padded(rows: list[list[int]]) -> Tensor:
    longest = max(len(row) for row in rows)
    return torch.tensor([row + [PADDING] * (longest - len(row)) for row in rows])
