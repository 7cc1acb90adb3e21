import datetime
import re

import pytest
import torch
from babel.dates import format_date
from babel.lists import format_list

from seqviz.tasks import Dates, write_dates
from seqviz.tasks.dates import END, EVERY, FIRST, LANGUAGES, PADDING

DAYS = [datetime.date(2000, 1, 1) + datetime.timedelta(37 * i) for i in range(60)]


def letters(text):
    """A text without punctuation, spaces and marks of direction."""
    return re.sub(r"[\W_]", "", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_date_is_what_babel_writes(language):
    for day in DAYS:
        whole = format_date(day, "full", locale=LANGUAGES[language])
        assert "".join(write_dates([day], language).words) == letters(whole)


@pytest.mark.parametrize("language", LANGUAGES)
def test_dates_are_listed_as_babel_lists_them(language):
    whole = [format_date(day, "full", locale=LANGUAGES[language]) for day in DAYS[:3]]
    listed = format_list(whole, locale=LANGUAGES[language])
    assert "".join(write_dates(DAYS[:3], language).words) == letters(listed)


def test_languages_differ_in_order():
    orders = {
        name: [role[1] for role in write_dates(DAYS[:1], name).roles if role] for name in LANGUAGES
    }
    assert orders["English"] == ["weekday", "day", "month", "year"]
    assert orders["Hungarian"] == orders["English"][::-1]
    assert orders["Turkish"] == ["day", "month", "year", "weekday"]


def test_each_word_knows_its_counterpart():
    source, target = write_dates(DAYS[:2], "English"), write_dates(DAYS[:2], "Spanish")
    for word, role, place in zip(target.words, target.roles, target.right(source)):
        if role is None:
            assert place == -1 and word in ("de", "y")
        else:
            assert source.roles[place] == role
    assert sorted(p for p in target.right(source) if p >= 0) == [0, 1, 2, 3, 5, 6, 7, 8]


def days_of(task, batch):
    """The numbers of the days in a batch of single English dates."""
    names = {write_dates([d], "English").words: d for d in every_day()}
    return [(names[task.read(row)] - FIRST).days for row in batch.inputs[0]]


def every_day():
    return [FIRST + datetime.timedelta(i) for i in range(50 * 365 + 13)]


def test_held_out_days_are_never_trained_on():
    task = Dates(1)
    assert all(day % EVERY for day in days_of(task, task.batch(500, seed=0)))
    assert not any(day % EVERY for day in days_of(task, task.held_out(500, seed=0)))


def test_a_batch_depends_on_the_seed_alone_and_fits_together():
    task = Dates(3)
    torch.manual_seed(0)
    batch = task.batch(16, seed=4)
    torch.manual_seed(1)
    again, other = task.batch(16, seed=4), task.batch(16, seed=5)
    assert torch.equal(batch.inputs[0], again.inputs[0])
    assert torch.equal(batch.targets, again.targets)
    assert not torch.equal(batch.inputs[0], other.inputs[0])
    source, given = batch.inputs
    assert len(source) == len(given) == 16 and given.shape == batch.targets.shape
    assert torch.equal(given[:, 1:], batch.targets[:, :-1])
    assert ((batch.targets == END).sum(1) == 1).all()
    for row in batch.targets:
        assert (row[row.tolist().index(END) + 1 :] == PADDING).all()


def test_the_language_is_named_to_the_decoder_or_in_the_source():
    for inside in (False, True):
        task = Dates(1, tag_in_source=inside)
        source, given = task.translations([DAYS[:1]], "English", "Turkish").inputs
        tag = task.vocabulary.index("[Turkish]")
        assert (source[0, 0] == tag) == inside and (given[0, 0] == tag) != inside
        if inside:
            assert given[0, 0] == END


def test_chance_and_score():
    task = Dates(1)
    batch = task.held_out(64, seed=0)
    right = torch.nn.functional.one_hot(batch.targets, task.output_size).float()
    assert task.score(right, batch.targets) == 1
    always = torch.zeros(*batch.targets.shape, task.output_size)
    always[..., END] = 1
    assert task.score(always, batch.targets) == pytest.approx(task.chance, abs=0.02)
    assert task.loss(100 * right, batch.targets) < 1e-6


def test_padding_counts_neither_in_the_loss_nor_in_the_score():
    task = Dates(1)
    batch = task.batch(16, seed=0)
    shape = (*batch.targets.shape, task.output_size)
    prediction = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    real = batch.targets != PADDING
    assert not real.all()
    other = prediction.clone()
    other[~real] = 7
    assert torch.equal(task.loss(prediction, batch.targets), task.loss(other, batch.targets))
    assert task.score(prediction, batch.targets) == task.score(other, batch.targets)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Dates(0), "most must be a whole number of at least 1"),
        (lambda: Dates(9), "most must be at most 8 dates, got 9"),
        (lambda: Dates(1, targets=("Klingon",)), "sources and targets must be some of English"),
        (lambda: write_dates(DAYS[:1], "Klingon"), "language must be one of English"),
        (lambda: write_dates([], "French"), "at least one date"),
        (
            lambda: Dates(1).loss(torch.zeros(1, 2, 3), torch.zeros(1, 2).long()),
            r"prediction must have the shape \(1, 2, \d+\), got \(1, 2, 3\)",
        ),
    ],
)
def test_bad_input_is_answered_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda task: task.held_out(5, 0, dates=-1), "dates must be"),
        (lambda task: task.held_out(5, 0, dates=9), "dates must be at most 8"),
        (lambda task: task.translations([], "English", "French"), "sentences of dates"),
        (
            lambda task: task.translations([[datetime.date(1999, 1, 1)]], "English", "French"),
            "from 2000-01-01 to 2049-12-31",
        ),
        (
            lambda task: task.translations([[datetime.date(2024, 1, 1)]], "English", "Klingon"),
            "language must be one of",
        ),
    ],
)
def test_what_cannot_be_written_is_answered_in_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(Dates(1))
