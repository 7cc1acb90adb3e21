"""Models that train while the reader looks on: `train_live(start, length=Choice(…), …)`."""

from seqviz.live.live import Live, train_live

__all__ = ["Live", "train_live"]
