"""What flows through a recurrent network: gradients, Jacobians and eigenvalues."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from seqviz.models.output import values_known
from seqviz.models.rnn import check_square

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Gradients:
    """What one backward pass gives.

    loss              the loss, a float
    prediction        (batch, output), without its graph
    state_grad_norm   (time,) float64: the L2 norm of ∂L/∂h_t over batch and hidden
    parameters        name -> ∂L/∂θ, shaped like the parameter
    """

    loss: float
    prediction: Tensor
    state_grad_norm: Tensor
    parameters: dict[str, Tensor]


def state_gradients(model: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss) -> Gradients:
    """Measure how strongly the loss depends on every hidden state: ‖∂L/∂h_t‖.

    ∂L/∂h_t is the total derivative, through all later steps: the product of Jacobians of Pascanu,
    Mikolov and Bengio (2013), equations 3 to 5. One backward pass gives it for every t, along with
    the gradients of the parameters, which `.grad` is left without.

    inputs (batch, time, input) or tokens (batch, time); `loss` maps (prediction, targets) to a
    scalar. Raises ValueError if the model returns no hidden states.
    """
    output = model(inputs)
    if not output.hidden_states:
        raise ValueError(f"{type(model).__name__} has no hidden states to take gradients of.")
    value = loss(output.prediction, targets)
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    # A parameter that the loss does not depend on has a gradient of zeros, not of None.
    gradients = torch.autograd.grad(
        value, [*parameters.values(), *output.hidden_states], materialize_grads=True
    )
    return Gradients(
        loss=value.item(),
        prediction=output.prediction.detach(),
        state_grad_norm=norm_per_step(gradients[len(parameters) :]),
        parameters=dict(zip(parameters, gradients, strict=False)),
    )


@dataclass(frozen=True)
class CellGradients:
    """How the gradient travels along a cell state, each (time,) float64, norms as above.

    total    ‖∂L/∂c_t‖, through every path
    direct   ‖∂L/∂c_T ⊙ f_T ⊙ … ⊙ f_{t+1}‖, along the cell state alone, as if no gate depended
             on the hidden state
    """

    total: Tensor
    direct: Tensor


def cell_gradients(model: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss) -> CellGradients:
    """Measure ‖∂L/∂c_t‖, and how much of it the product of forget gates explains.

    c_t = f_t ⊙ c_{t-1} + …, so the direct part of ∂c_T/∂c_t is the product of the forget gates
    between them. It is the gradient that Hochreiter and Schmidhuber (1997) trained with, where the
    others were cut off.

    inputs (batch, time, input) or tokens (batch, time); `loss` maps (prediction, targets) to a
    scalar. Raises ValueError if the model returns no cell states or no `forget_gate`.
    """
    output = model(inputs)
    if not output.cell_states or "forget_gate" not in output.gates:
        raise ValueError(f"{type(model).__name__} has no cell states with a forget gate.")
    total = torch.autograd.grad(
        loss(output.prediction, targets), output.cell_states, materialize_grads=True
    )
    direct = [total[-1]]
    for forget in reversed(output.gates["forget_gate"].detach().unbind(1)[1:]):
        direct.append(direct[-1] * forget)
    return CellGradients(norm_per_step(total), norm_per_step(direct[::-1]))


def input_gradients(model: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """Measure how strongly the loss depends on each input: ‖∂L/∂x_t‖, (time,) float64.

    It compares models whose insides differ: a recurrent network's states and the layers of a
    convolution are not the same thing, their inputs are. The norm is over batch and input.

    inputs (batch, time, input); `loss` maps (prediction, targets) to a scalar.
    """
    inputs = inputs.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(model(inputs).prediction, targets), inputs)
    return norm_per_step(gradient.unbind(1))


def layer_gradients(model: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """Measure how strongly the loss depends on each layer's output: ‖∂L/∂hˡ‖, (layer,) float64.

    The norm is over batch, time and channels. Raises ValueError if the model returns no layers.
    """
    output = model(inputs)
    if not output.layers:
        raise ValueError(f"{type(model).__name__} has no layers to take gradients of.")
    gradients = torch.autograd.grad(
        loss(output.prediction, targets), output.layers, materialize_grads=True
    )
    return torch.stack([safe_norm(gradient) for gradient in gradients])


def inputs_seen(model: nn.Module, inputs: Tensor) -> np.ndarray:
    """Find the time steps that the prediction depends on: a boolean array (time,).

    A step is seen if the gradient of any predicted number with respect to its input is not zero,
    for any sequence of the batch: a unit that is off blocks a path, but not in every sequence. The
    model runs as a copy in float64, without dropout.

    inputs (batch, time, input).
    """
    model = copy.deepcopy(model).double().eval()
    inputs = inputs.detach().double().requires_grad_()
    prediction = model(inputs).prediction
    # A plain sum would see nothing of numbers whose sum is fixed, as a softmax's.
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(prediction.shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((weights * prediction).sum(), inputs)
    return (gradient != 0).any(-1).any(0).numpy()


def norm_per_step(gradients: Sequence[Tensor]) -> Tensor:
    """Return the L2 norm of each step's gradient (batch, hidden), over both, as (time,) float64."""
    # Eight steps at a time: few calls, on pieces small enough to stay in the processor's cache.
    pieces = [gradients[start : start + 8] for start in range(0, len(gradients), 8)]
    return torch.cat([safe_norm(torch.stack(piece).flatten(1), dim=1) for piece in pieces])


def safe_norm(tensor: Tensor, dim: int | None = None) -> Tensor:
    """Return the L2 norm in float64, of the whole tensor or along one of its dimensions.

    A gradient of 1e-30 is real, but its square is no float32 number, and a plain norm would be 0.
    The square of any float32 number fits into float64. Numbers that are float64 already are divided
    by the largest of them before they are squared.
    """
    if tensor.dtype != torch.float64:
        return torch.linalg.vector_norm(tensor, dim=dim, dtype=torch.float64)
    if dim is None:
        tensor, dim = tensor.flatten(), 0
    largest = tensor.abs().amax(dim, keepdim=True)
    scale = torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
    return torch.linalg.vector_norm(tensor / scale, dim=dim) * scale.squeeze(dim)


def jacobian_singular_values(model: nn.Module, inputs: Tensor, lags: Sequence[int]) -> np.ndarray:
    """Return log10 of the singular values of ∂h_T/∂h_{T-lag}, (lag, hidden), largest first.

    The Jacobian over a lag is the product of the Jacobians of single steps, ∂h_t/∂h_{t-1} (Pascanu,
    Mikolov and Bengio 2013, equation 5), taken in float64. Over long lags the values leave the
    range even of float64, hence logarithms: a factor is carried beside the product, and -inf stands
    for zero. Values more than 16 decades below the largest of their lag are rounding.

    inputs: one sequence, (1, time, input) or tokens (1, time). The model's hidden state must be all
    that it carries from step to step.
    Raises ValueError if there is not exactly one sequence, if a lag is not within 0 … time - 1, or
    if the model returns no hidden states.
    """
    if len(inputs) != 1:
        raise ValueError(f"inputs must hold exactly one sequence, got {len(inputs)}.")
    model = copy.deepcopy(model).double()  # the reader's own model stays as it is
    states = model(inputs.double() if inputs.is_floating_point() else inputs).hidden_states
    if not states:
        raise ValueError(f"{type(model).__name__} has no hidden states to take Jacobians of.")
    if not lags or min(lags) < 0 or max(lags) >= len(states):
        raise ValueError(f"lags must lie between 0 and {len(states) - 1}, got {list(lags)}.")

    identity = torch.eye(states[-1].shape[-1], dtype=torch.float64)
    product, exponent = identity, 0.0  # ∂h_T/∂h_{T-lag} = product · 10^exponent
    log_values = {0: torch.zeros(len(identity))}
    for lag in range(1, max(lags) + 1):
        step = _jacobian(states[-lag], states[-lag - 1], identity)
        product = product @ step
        largest = product.abs().max().item()
        if largest > 0:
            product = product / largest
            exponent += math.log10(largest)
        log_values[lag] = torch.linalg.svdvals(product).log10() + exponent
    return torch.stack([log_values[lag].double() for lag in lags]).numpy()


def spectrum(weight: Tensor) -> np.ndarray:
    """Return the eigenvalues of a (hidden, hidden) matrix, complex128 (hidden,), largest first.

    They are found in float64. Raises ValueError unless `weight` is square and finite.
    """
    check_square(weight)
    eigenvalues = torch.linalg.eigvals(weight.detach().double()).numpy()
    return eigenvalues[np.argsort(-np.abs(eigenvalues), kind="stable")]


def longest_chain(output: Tensor) -> int:
    """Count the operations that must run one after the other to compute a tensor.

    It is the longest path through the autograd graph: operations on different paths could run at
    the same time, on a machine with room for all of them; those on one path could not. Reading a
    parameter or an input counts as one operation. Raises ValueError for a tensor without a graph.
    """
    if output.grad_fn is None:
        raise ValueError("The tensor has no graph: no parameter or input of it needs a gradient.")
    lengths: dict[torch.autograd.graph.Node, int] = {}
    stack = [output.grad_fn]
    while stack:
        node = stack[-1]
        before = [parent for parent, _ in node.next_functions if parent is not None]
        if missing := [parent for parent in before if parent not in lengths]:
            stack += missing
        else:
            lengths[stack.pop()] = 1 + max((lengths[parent] for parent in before), default=0)
    return lengths[output.grad_fn]


def saved_bytes(forward: Callable[[], object], without: Sequence[Tensor] = ()) -> int:
    """Count the bytes that a forward pass keeps for its backward pass, each storage once.

    `without` are tensors that are there anyway, as the parameters of a model.
    """
    kept: dict[int, int] = {}
    storages = []  # held, so that no address is used twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages.append(storage)
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward()
    for tensor in without:
        kept.pop(tensor.untyped_storage().data_ptr(), None)
    return sum(kept.values())


def _jacobian(later: Tensor, earlier: Tensor, identity: Tensor) -> Tensor:
    """Return ∂later/∂earlier (hidden, hidden): one backward pass for all rows at once."""
    rows = identity.unsqueeze(1)  # (hidden, 1, hidden): one direction a row
    (jacobian,) = torch.autograd.grad(
        later, earlier, rows, retain_graph=True, is_grads_batched=True
    )
    return jacobian.squeeze(1)


def entropy(weights: Tensor) -> Tensor:
    """Return how widely weights (…, key) spread, in bits (…,): 0 for one key, log2 n for n equally.

    Shannon 1948, section 6. Raises ValueError for weights that are negative or do not sum to 1.
    """
    total = weights.sum(-1)
    one = torch.ones_like(total)
    if values_known() and ((weights < 0).any() or not torch.allclose(total, one, atol=1e-4)):
        raise ValueError("weights must be at least 0 and sum to 1 over the last axis.")
    return -torch.special.xlogy(weights, weights).sum(-1) / math.log(2)


def replacement_effect(write: Callable[[Tensor], Tensor], source: Tensor, others: Tensor) -> Tensor:
    """Return how often each written word changes when one source word is replaced: (written, time).

    `write` maps source tokens (batch, time) to words (batch, written). Word j of each sentence is
    replaced by word j of the same row of `others` (batch, time); rows in which the two are equal do
    not count. Raises ValueError if the shapes differ, or a column has no two different words.
    """
    if source.shape != others.shape:
        raise ValueError(
            f"source and others must have one shape, got {tuple(source.shape)} "
            f"and {tuple(others.shape)}."
        )
    differs = source != others
    if not differs.any(0).all():
        raise ValueError("Every word of the source must differ from its other in some sentence.")
    before, effects = write(source), []
    for j in range(source.shape[1]):
        changed = source.clone()
        changed[:, j] = others[:, j]
        effects.append((write(changed) != before)[differs[:, j]].double().mean(0))
    return torch.stack(effects, 1)
