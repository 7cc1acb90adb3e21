import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch.nn import functional

from seqviz.tasks import (
    Adding,
    CopyMemory,
    Digits,
    FirstToken,
    Order,
    corpus,
    ngrams,
    sentences,
    split,
    vocabulary,
    words,
)

# A busy machine is slow now and then; that is no failure.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

seeds = st.integers(0, 2**40)
adding = st.builds(Adding, st.integers(2, 30))
first_token = st.builds(FirstToken, st.integers(1, 30), st.integers(2, 9), st.integers(1, 9))


@pytest.fixture(scope="module")
def order():
    return Order()


@given(st.one_of(adding, first_token), st.integers(1, 8), seeds)
def test_a_batch_has_the_promised_shapes_and_depends_on_the_seed_alone(task, batch_size, seed):
    torch.manual_seed(0)
    batch = task.batch(batch_size, seed)
    torch.manual_seed(1)
    again = task.batch(batch_size, seed)
    assert batch.inputs.shape == (batch_size, task.length, task.input_size)
    assert torch.equal(batch.inputs, again.inputs)
    assert torch.equal(batch.targets, again.targets)


@given(st.integers(5, 30), seeds)
def test_another_seed_gives_another_batch(length, seed):
    for task in (Adding(length), FirstToken(length)):
        one, other = task.batch(8, seed), task.batch(8, seed + 1)
        assert not torch.equal(one.inputs, other.inputs)


def test_drawing_a_batch_leaves_the_global_random_numbers_alone(order):
    before = torch.get_rng_state()
    for task in (Adding(5), FirstToken(5), CopyMemory(5), Digits(), order):
        task.batch(4, 0)
    assert torch.equal(before, torch.get_rng_state())


@given(adding, seeds)
def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum(task, seed):
    batch = task.batch(4, seed)
    numbers, markers = batch.inputs.unbind(-1)
    half = task.length // 2
    assert set(markers.unique().tolist()) <= {0.0, 1.0}
    assert (markers[:, :half].sum(1) == 1).all() and (markers[:, half:].sum(1) == 1).all()
    assert ((numbers >= 0) & (numbers < 1)).all()
    torch.testing.assert_close((numbers * markers).sum(1, keepdim=True), batch.targets)


@given(first_token, seeds)
def test_first_token_shows_its_symbol_once_and_then_only_noise(task, seed):
    batch = task.batch(4, seed)
    tokens = batch.inputs.argmax(-1)
    assert (batch.inputs.sum(-1) == 1).all() and batch.inputs.max() == 1
    assert torch.equal(tokens[:, 0], batch.targets)
    assert (batch.targets < task.symbols).all()
    assert (tokens[:, 1:] >= task.symbols).all()


def test_markers_and_noise_reach_every_place_they_may():
    markers = Adding(6).batch(500, 0).inputs[..., 1].sum(0)
    assert (markers > 100).all()
    noise = FirstToken(6, 3, 5).batch(500, 0).inputs.argmax(-1)
    assert set(noise[:, 0].tolist()) == {0, 1, 2}
    assert set(noise[:, 1:].flatten().tolist()) == {3, 4, 5, 6, 7}


def test_chance_is_the_score_of_an_answer_that_ignores_the_input(order):
    for task in (FirstToken(3, 4), FirstToken(3, 7), Adding(10), order):
        batch = task.batch(20_000, 0)
        ignorant = torch.ones(20_000, task.output_size)  # argmax: always class 0
        assert task.score(ignorant, batch.targets) == pytest.approx(task.chance, abs=0.015)
        assert not task.learned(task.chance)
        assert task.learned(task.target)


def test_the_best_constant_answer_to_adding_is_one():
    targets = Adding(10).batch(20_000, 0).targets
    assert targets.mean().item() == pytest.approx(1, abs=0.01)
    assert targets.var().item() == pytest.approx(1 / 6, abs=0.005)


def test_loss_and_score_follow_the_metric():
    prediction = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    targets = torch.tensor([0, 1, 1])
    task = FirstToken(3, 2)
    by_hand = -torch.log_softmax(prediction, -1)[torch.arange(3), targets].mean()
    torch.testing.assert_close(task.loss(prediction, targets), by_hand)
    assert task.score(prediction, targets) == pytest.approx(2 / 3)
    assert Adding(3).score(torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [4.0]])) == 2.5


@given(st.integers(5, 30), st.integers(0, 99))
def test_copy_memory_shows_the_symbols_first_and_asks_for_all_of_them(length, seed):
    task = CopyMemory(length)
    batch = task.batch(7, seed)
    tokens = batch.inputs.argmax(-1)
    assert batch.inputs.shape == (7, length, 6) and (batch.inputs.sum(-1) == 1).all()
    assert torch.equal(tokens[:, :5], batch.targets)
    assert (batch.targets < 5).all() and (tokens[:, 5:] == 5).all()
    right = functional.one_hot(batch.targets, 5).flatten(1).float()
    assert task.score(right, batch.targets) == 1
    assert task.score(right.roll(5, 1), batch.targets) < 1 or len(batch.targets.unique()) == 1
    nothing = task.loss(torch.zeros(7, 25), batch.targets).item()
    assert nothing == pytest.approx(math.log(5)) and task.chance == 1 / 5


def test_copy_memory_scores_each_item():
    task = CopyMemory(4, symbols=2, items=2)
    prediction = torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 1]])  # 0 0 and 1 1
    assert task.score(prediction, torch.tensor([[0, 1], [1, 1]])) == 0.75
    with pytest.raises(ValueError, match=r"prediction must have the shape \(2, 4\), got \(2, 2\)"):
        task.score(torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.int64))


def test_digits_are_the_images_of_scikit_learn_pixel_by_pixel():
    pixels, names = load_digits(return_X_y=True)
    task = Digits()
    batch, held_out = task.batch(50, 1), task.held_out()
    assert batch.inputs.shape == (50, task.length, 1) and held_out.inputs.shape == (360, 64, 1)
    images = {tuple(image): name for image, name in zip(pixels.tolist(), names.tolist())}
    kept = {tuple(image) for image in (held_out.inputs[..., 0] * 16).tolist()}
    for part in (batch, held_out):
        for image, target in zip((part.inputs[..., 0] * 16).tolist(), part.targets.tolist()):
            assert images[tuple(image)] == target
    many = task.batch(5000, 2).inputs[..., 0] * 16
    drawn = {tuple(image) for image in many.tolist()}
    assert not drawn & kept and len(drawn) > 1300
    assert torch.equal(batch.inputs, Digits().batch(50, 1).inputs)
    assert torch.equal(held_out.targets, Digits().held_out().targets)


def test_words_follow_the_rule():
    assert words("The cat -- it's on 'the' mat!\u00a0(Yes.)") == (
        ["the", "cat", "it's", "on", "the", "mat", "yes"]
    )
    assert words("a\u2003b\u3000c\u200bd\x1ce") == ["a", "b", "c\u200bd\x1ce"]
    assert words("") == words(" \n ... ") == []


@given(st.text(st.sampled_from("aB1 \t\n.,'é\u00a0\x85"), max_size=30))
def test_words_are_lower_case_not_empty_and_stay_the_same_when_split_again(text):
    result = words(text)
    assert words(" ".join(result)) == result
    assert all(word and word == word.lower() for word in result)


@given(st.lists(st.text("ab", min_size=1), max_size=8), st.integers(1, 5))
def test_ngrams_are_the_runs_of_n_words(items, n):
    result = ngrams(items, n)
    assert len(result) == max(len(items) - n + 1, 0)
    assert all(gram == tuple(items[i : i + n]) for i, gram in enumerate(result))


def test_the_corpus_is_prose_without_markup():
    documents = corpus()
    text = "\n".join(documents)
    assert len(documents) > 50 and len(text) > 200_000
    for markup in ("::=", ">>>", "*****", "=====", "+--"):
        assert text.count(markup) <= 3, markup
    assert vocabulary(documents, 2) == ["the", "a"]


def test_sentences_are_word_lists_and_listed_once():
    text = "It is here. This one ends! Too short. Is e.g. this one?\n\nA heading\n\nIt is here."
    assert sentences([text]) == [
        ["it", "is", "here"],
        ["this", "one", "ends"],
        ["is", "e.g", "this", "one"],
    ]
    assert len(sentences(corpus())) > 1500


def test_vocabulary_is_sorted_by_frequency_then_alphabet():
    assert vocabulary(["d c b", "b c a"]) == ["b", "c", "a", "d"]
    assert vocabulary(["d c b", "b c a"], 2) == ["b", "c"]


@given(st.integers(2, 60), st.floats(0.01, 0.99), seeds)
def test_split_parts_share_nothing_and_lose_nothing(size, share, seed):
    training, held_out = split(range(size), share, seed)
    assert sorted(training + held_out) == list(range(size))
    assert len(held_out) == pytest.approx(share * size, abs=1)
    assert training and held_out
    assert (training, held_out) == split(range(size), share, seed)


def test_order_twins_have_equal_bags_and_opposite_labels(order):
    held_out = order.held_out()
    sentence, twin = held_out.inputs[::2], held_out.inputs[1::2]
    assert torch.equal(sentence.sort(1).values, twin.sort(1).values)
    assert ((sentence != twin).sum(1) == 2).all()
    assert (held_out.targets[::2] + held_out.targets[1::2] == 1).all()
    assert torch.equal(order.gap(sentence), order.gap(twin))


def test_order_asks_which_of_the_two_words_comes_first(order):
    batch = order.batch(64, 0)
    assert batch.inputs.shape == (64, order.length)
    for tokens, target in zip(batch.inputs, batch.targets):
        sentence = [order.vocabulary[token] for token in tokens]
        assert sentence.count("the") == sentence.count("a") == 1
        assert target == int(sentence.index("a") < sentence.index("the"))
        padding = sentence.count("[padding]")
        assert sentence[:padding] == ["[padding]"] * padding


def test_order_passages_are_runs_of_words_of_the_corpus(order):
    text = " | ".join(" ".join(sentence) for sentence in sentences(corpus()))
    assert all(" ".join(passage) in text for passage in order._passages())


def test_order_takes_the_longest_passage_with_each_word_once():
    def longest(sentence, length):
        return " ".join(Order(length=length)._longest_passage(sentence.split()))

    # From after the first "a" to the end: longer than from the start to before the second.
    assert longest("a b c d the e f a g", 24) == "b c d the e f a g"
    assert longest("a b c d the e f a g", 6) == "a b c d the e"
    assert longest("b the c d e f g a h i j", 24) == "b the c d e f g a h i j"
    assert longest("the b c d e f the", 24) == ""
    assert longest("the b c d e f a", 6) == ""  # there is no room for both in 6 words
    assert longest("the b c d e f a", 7) == "the b c d e f a"
    assert longest("the b a", 24) == ""  # too short


def test_order_lists_a_passage_once_even_if_the_corpus_has_its_twin(monkeypatch, order):
    one, twin = "the b c d e a".split(), "a b c d e the".split()  # noqa: SIM905
    other = [*one, "f"]
    monkeypatch.setattr("seqviz.tasks.order.sentences", lambda documents: [one, twin, other, one])
    assert order._passages() == [tuple(one), tuple(other)]


def test_order_never_trains_on_a_held_out_sentence_or_its_twin(order):
    training = {tuple(row) for row in order._parts[0].inputs.tolist()}
    held_out = {tuple(row) for row in order.held_out().inputs.tolist()}
    assert len(held_out) >= 300 and len(training) >= 900
    assert not training & held_out
    drawn = order.batch(2000, 3)
    assert {tuple(row) for row in drawn.inputs.tolist()} <= training


def test_order_gap_is_the_distance_of_the_two_words(order):
    the, a = order.vocabulary.index("the"), order.vocabulary.index("a")
    assert order.gap(torch.tensor([[0, the, 9, 9, a], [a, the, 0, 0, 0]])).tolist() == [3, 1]


@settings(max_examples=5)
@given(st.integers(0, 100))
def test_order_batches_depend_on_the_seed_alone(seed):
    one, again = Order().batch(16, seed), Order().batch(16, seed)
    other = Order().batch(16, seed + 1)
    assert torch.equal(one.inputs, again.inputs) and torch.equal(one.targets, again.targets)
    assert not torch.equal(one.inputs, other.inputs)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Adding(1), ValueError, "length must be a whole number of at least 2, got 1."),
        (lambda: FirstToken(0), ValueError, "length must be a whole number of at least 1, got 0."),
        (lambda: FirstToken(3, 1), ValueError, "symbols must be a whole number of at least 2"),
        (lambda: FirstToken(3, 2, 0), ValueError, "distractors must be a whole number of at least"),
        (lambda: CopyMemory(4), ValueError, "length must be a whole number of at least 5, got 4."),
        (lambda: CopyMemory(4, 1), ValueError, "symbols must be a whole number of at least 2"),
        (lambda: CopyMemory(4, 3, 0), ValueError, "items must be a whole number of at least 1"),
        (lambda: Digits().batch(0, 1), ValueError, "batch_size must be a whole number of at leas"),
        (lambda: Adding(5).batch(0, 1), ValueError, "batch_size must be a whole number of at leas"),
        (lambda: Adding(5).batch(2, -1), ValueError, "seed must be a whole number of at least 0"),
        (
            lambda: Adding(5).loss(torch.zeros(3), torch.zeros(3, 1)),
            ValueError,
            r"prediction must have the shape \(3, 1\), got \(3,\)",
        ),
        (lambda: words(b"a"), TypeError, "text must be a string, got bytes"),
        (lambda: ngrams(["a"], 0), ValueError, "n must be at least 1, got 0"),
        (lambda: sentences("a b c"), TypeError, "documents must be a list of strings"),
        (lambda: vocabulary("a b c"), TypeError, "documents must be a list of strings"),
        (lambda: vocabulary(["a"], 0), ValueError, "size must be at least 1 or None, got 0"),
        (lambda: split([1, 2], 1.0), ValueError, "held_out must lie between 0 and 1"),
        (lambda: split([1]), ValueError, "A split needs at least 2 items, got 1"),
        (lambda: Order("the", "the"), ValueError, "must be two different words, got 'the'"),
        (lambda: Order("the", "zebra"), ValueError, "998 most frequent words .* got 'zebra'"),
        (lambda: Order("the", "[padding]"), ValueError, r"got '\[padding\]'"),
        (lambda: Order("dictionary", "exception"), ValueError, "at least 20 passages with both"),
        (lambda: Order(length=5), ValueError, "length must be a whole number of at least 6"),
        (lambda: Order(held_out_share=0), ValueError, "held_out must lie between 0 and 1"),
        (
            lambda: Order().gap(torch.zeros(1, 4, dtype=torch.int64)),
            ValueError,
            "Every sequence must hold 'the' exactly once",
        ),
    ],
)
def test_bad_input_is_answered_in_one_sentence(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")
