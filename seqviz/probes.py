"""What flows through a recurrent network: gradients, Jacobians and eigenvalues."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

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


def _jacobian(later: Tensor, earlier: Tensor, identity: Tensor) -> Tensor:
    """Return ∂later/∂earlier (hidden, hidden): one backward pass for all rows at once."""
    rows = identity.unsqueeze(1)  # (hidden, 1, hidden): one direction a row
    (jacobian,) = torch.autograd.grad(
        later, earlier, rows, retain_graph=True, is_grads_batched=True
    )
    return jacobian.squeeze(1)
