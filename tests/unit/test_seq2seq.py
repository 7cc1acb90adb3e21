import math

import pytest
import torch

import seqviz as sv
from seqviz.models import Attention, Seq2Seq
from seqviz.probes import entropy, replacement_effect

READINGS = ("fixed", "mean", "query", "bahdanau")
SOURCE = torch.tensor([[3, 7, 2, 5], [4, 6, 1, 0], [8, 2, 0, 0]])  # padded with 0
GIVEN = torch.tensor([[1, 4, 5], [2, 6, 3], [1, 1, 7]])


def model_of(reading="bahdanau", seed=0):
    return Seq2Seq(9, 5, reading=reading, embedding_size=4, seed=seed).double()


def noise(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_attention_equals_its_equations_number_by_number():
    attention = Attention(3, 4, 5, torch.Generator().manual_seed(0)).double()
    query, keys, temperature = noise(2, 3), noise(2, 6, 4, seed=1), 0.7
    real = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    context, weights = attention(query, keys, real, temperature)
    w, u, v = (
        p.tolist() for p in (attention.weight_query, attention.weight_key, attention.score_vector)
    )
    for row, length in enumerate((6, 4)):
        scores = []
        for j in range(length):
            score = 0
            for a in range(5):
                total = sum(w[a][k] * query[row, k].item() for k in range(3))
                total += sum(u[a][k] * keys[row, j, k].item() for k in range(4))
                score += v[a] * math.tanh(total)
            scores.append(math.exp(score / temperature))
        by_hand = [s / sum(scores) for s in scores] + [0.0] * (6 - length)
        assert weights[row].tolist() == pytest.approx(by_hand, abs=1e-12)
        for k in range(4):
            mean = sum(by_hand[j] * keys[row, j, k].item() for j in range(6))
            assert context[row, k].item() == pytest.approx(mean, abs=1e-12)


def test_the_encoder_equals_torchs_bidirectional_gru_on_padded_sentences():
    model = model_of()
    twin = torch.nn.GRU(4, 5, batch_first=True, bidirectional=True).double()
    for gru, suffix in ((model.forward_gru, ""), (model.backward_gru, "_reverse")):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(twin, f"{name}_l0{suffix}").data.copy_(getattr(gru, name))
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        model.embedding[SOURCE], [4, 3, 2], batch_first=True
    )
    states, last = twin(packed)
    states, _ = torch.nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
    ours, ours_last, real = model.encode(SOURCE)
    torch.testing.assert_close(ours[real], states[real], atol=1e-6, rtol=0)
    torch.testing.assert_close(ours_last, torch.cat([*last], 1), atol=1e-6, rtol=0)


@pytest.mark.parametrize("reading", READINGS)
def test_the_decoder_follows_its_equations(reading):
    model = model_of(reading)
    output = model((SOURCE, GIVEN))
    cell = torch.nn.GRUCell(4 + 10, 5).double()
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, name).data.copy_(getattr(model.decoder, name))
    keys, last, real = model.encode(SOURCE)
    state = torch.tanh(model.embedding[GIVEN[:, 0]] @ model.weight_start.T)
    for i in range(3):
        if reading == "fixed":
            context = last
        elif reading == "mean":
            context = torch.stack([keys[b, : real[b].sum()].mean(0) for b in range(3)])
        else:
            query = model.query.expand(3, 5) if reading == "query" else state
            context, _ = model.attention(query, keys, real)
        state = cell(torch.cat([model.embedding[GIVEN[:, i]], context], 1), state)
        torch.testing.assert_close(output.hidden_states[i], state)
        logits = state @ model.decoder.head.weight.T + model.decoder.head.bias
        torch.testing.assert_close(output.prediction[:, i], logits)


@pytest.mark.parametrize("reading", READINGS[1:])
def test_weights_are_an_average_over_real_words(reading):
    attention = model_of(reading)((SOURCE, GIVEN)).attention
    assert attention.shape == (3, 1, 1, 3, 4)
    torch.testing.assert_close(attention.sum(-1), torch.ones(3, 1, 1, 3).double())
    assert (attention[1, ..., 3] == 0).all() and (attention[2, ..., 2:] == 0).all()
    same = torch.allclose(attention[..., 0, :], attention[..., 1, :])
    assert same == (reading != "bahdanau")  # only the decoder's state moves the weights


def test_the_fixed_vector_has_no_weights():
    assert model_of("fixed")((SOURCE, GIVEN)).attention is None


@pytest.mark.parametrize("reading", READINGS)
def test_padding_changes_nothing(reading):
    model = model_of(reading)
    alone = model((SOURCE[2:, :2], GIVEN[2:])).prediction
    torch.testing.assert_close(model((SOURCE, GIVEN)).prediction[2:], alone)


@pytest.mark.parametrize("reading", READINGS)
def test_a_word_does_not_see_the_words_after_it(reading):
    model, changed = model_of(reading), GIVEN.clone()
    changed[:, 2] = 8
    one, other = model((SOURCE, GIVEN)).prediction, model((SOURCE, changed)).prediction
    assert torch.equal(one[:, :2], other[:, :2]) and not torch.equal(one[:, 2], other[:, 2])


@pytest.mark.parametrize("reading", READINGS)
def test_every_reading_sees_all_of_the_source(reading):
    model = model_of(reading)
    for j in range(4):
        changed = SOURCE[:1].clone()
        changed[0, j] = 8
        one, other = model((SOURCE[:1], GIVEN[:1])), model((changed, GIVEN[:1]))
        assert not torch.allclose(one.prediction, other.prediction)


@pytest.mark.parametrize("reading", READINGS)
def test_gradients_agree_with_finite_differences(reading):
    model = Seq2Seq(5, 2, reading=reading, embedding_size=2, seed=1).double()
    names, values = zip(*model.named_parameters())
    pair = (torch.tensor([[1, 2, 3]]), torch.tensor([[4, 1]]))

    def prediction(*values):
        return torch.func.functional_call(model, dict(zip(names, values)), (pair,)).prediction

    assert torch.autograd.gradcheck(prediction, values)


def test_writing_is_predicting_from_its_own_words():
    model = model_of()
    written, weights = model.translate(SOURCE, GIVEN[:, 0], 3)
    given = torch.cat([GIVEN[:, :1], written[:, :-1]], 1)
    output = model((SOURCE, given))
    assert torch.equal(output.prediction.argmax(2), written)
    torch.testing.assert_close(output.attention, weights)


def test_temperature_zooms_in_and_out():
    model, pair = model_of(), (SOURCE[:1], GIVEN[:1])
    cold, warm, hot = (model(pair, t).attention.detach() for t in (1e-3, 1.0, 1e3))
    assert entropy(cold).max() < 0.1 < entropy(warm).min() < entropy(hot).min()
    torch.testing.assert_close(entropy(hot), torch.full_like(entropy(hot), 2.0), atol=1e-4, rtol=0)


def test_readings_share_all_weights_but_those_of_the_attention():
    before = torch.get_rng_state()
    one, other = model_of("fixed"), model_of("bahdanau")
    assert torch.equal(before, torch.get_rng_state())
    for name, value in one.named_parameters():
        assert torch.equal(value, other.get_parameter(name))
    assert not torch.equal(one.embedding, model_of("fixed", seed=1).embedding)


@pytest.mark.slow
def test_it_learns_dates_and_looks_at_the_right_words():
    task = sv.tasks.Dates(1, targets=("Hungarian",))
    model = Seq2Seq(task.input_size, 32, seed=0)
    sv.train(model, task, steps=150, batch_size=64, learning_rate=1e-2, record=(), progress=False)
    batch = task.held_out(100, seed=0)
    assert sv.evaluate(model, batch, task) > 0.9
    weights = model(batch.inputs).attention[:, 0, 0].mean(0)
    assert weights[:4].argmax(1).tolist() == [3, 2, 1, 0]


def test_entropy_in_bits():
    weights = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4])
    torch.testing.assert_close(entropy(weights), torch.tensor([0.0, 1.0, 2.0]))
    for bad in (torch.tensor([0.5, 0.6]), torch.tensor([1.5, -0.5])):
        with pytest.raises(ValueError, match="weights must be at least 0 and sum to 1"):
            entropy(bad)


def test_replacing_finds_what_a_word_depends_on():
    source = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    others = torch.tensor([[2, 2, 4], [5, 6, 7], [8, 9, 1]])

    def write(s):  # the first word depends on word 2, the second on both others
        return torch.stack([s[:, 2], (s[:, 0] + s[:, 1]) // 2], 1)

    effect = replacement_effect(write, source, others)
    torch.testing.assert_close(effect[0], torch.tensor([0.0, 0, 1]).double())
    torch.testing.assert_close(
        effect[1], torch.tensor([1.0, 1, 0]).double()
    )  # the equal row is left out
    with pytest.raises(ValueError, match="one shape"):
        replacement_effect(write, source, others[:2])
    with pytest.raises(ValueError, match="must differ from its other"):
        replacement_effect(write, source, source)


MODEL = Seq2Seq(9, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Seq2Seq(9, 0), ValueError, "hidden_size must be a whole number of at least 1"),
        (lambda: Seq2Seq(9, 4, reading="all"), ValueError, "reading must be one of fixed, mean"),
        (lambda: MODEL(SOURCE), TypeError, "a pair of tokens"),
        (lambda: MODEL((SOURCE, GIVEN[:1])), ValueError, "as many rows, got 3 and 1"),
        (lambda: MODEL((SOURCE.float(), GIVEN)), TypeError, "tokens must be a torch.Tensor of int"),
        (lambda: MODEL((SOURCE, GIVEN + 9)), ValueError, "tokens must lie between 0 and 8"),
        (
            lambda: MODEL((SOURCE, GIVEN), 0),
            ValueError,
            "temperature must be above 0 and finite, got 0",
        ),
        (lambda: MODEL.translate(SOURCE, GIVEN[:, 0], 0), ValueError, "length must be a whole"),
        (lambda: MODEL.translate(SOURCE, GIVEN[:2, 0], 3), ValueError, "as many rows, got 3 and 2"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")


def test_a_tiny_temperature_looks_at_the_highest_score_alone():
    attention = Attention(3, 4, 5, torch.Generator().manual_seed(0))
    with torch.no_grad():
        attention.score_vector.mul_(50)  # scores as large as those of a trained model
    random = torch.Generator().manual_seed(1)
    keys, query = torch.randn(2, 6, 4, generator=random), torch.randn(2, 3, generator=random)
    real = torch.ones(2, 6, dtype=torch.bool)
    _, wide = attention(query, keys, real)
    _, narrow = attention(query, keys, real, temperature=1e-30)
    assert torch.equal(narrow.argmax(1), wide.argmax(1))
    assert torch.allclose(narrow.max(1).values, torch.ones(2))


def test_a_sentence_of_nothing_but_padding_is_refused():
    model = Seq2Seq(9, 4)
    source = torch.tensor([[0, 0], [3, 4]])
    with pytest.raises(ValueError, match="at least one token that is not padding"):
        model((source, torch.tensor([[1], [1]])))
