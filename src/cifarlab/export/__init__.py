"""A trained network as one file for others to use: an ONNX graph, or weights with what rebuilds them."""

from cifarlab.export.publish import FORMATS, Format, export
from cifarlab.export.weights import Exported, open_exported

__all__ = ["FORMATS", "Exported", "Format", "export", "open_exported"]
