"""Readable sequence models, one file an architecture; each returns its internals by name."""

from seqviz.models.bag import BagOfWords, NGrams
from seqviz.models.deep import FeedForward
from seqviz.models.gru import GRU
from seqviz.models.lstm import LSTM, spread_forget_bias
from seqviz.models.output import Output
from seqviz.models.pretrained import minilm_attention
from seqviz.models.rnn import RNN, scale_to_spectral_radius, spectral_radius
from seqviz.models.seq2seq import Attention, Seq2Seq
from seqviz.models.tcn import TCN, CausalConv, WaveNet
from seqviz.models.transformer import (
    DecoderLayer,
    EncoderLayer,
    MultiHeadAttention,
    Transformer,
    attend,
    causal_mask,
    sinusoidal_positions,
)

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "TCN",
    "Attention",
    "BagOfWords",
    "CausalConv",
    "DecoderLayer",
    "EncoderLayer",
    "FeedForward",
    "MultiHeadAttention",
    "NGrams",
    "Output",
    "Seq2Seq",
    "Transformer",
    "WaveNet",
    "attend",
    "causal_mask",
    "minilm_attention",
    "scale_to_spectral_radius",
    "sinusoidal_positions",
    "spectral_radius",
    "spread_forget_bias",
]
