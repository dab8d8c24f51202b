"""Tiny embedding models: words of one group mean the same, and all others mean nothing."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

GROUPS = (
    ("debt", "debts", "invoice", "invoices"),
    ("person", "customer"),
    ("weather", "sky", "forecast"),
    ("swindle", "forgery", "forged"),
)


class BagOfWords:
    """A model in memory. The vector of a text counts its words by group."""

    def __init__(self, groups: Sequence[Sequence[str]] = GROUPS, name: str = "bag") -> None:
        self.name = name
        self._places = {word: place for place, group in enumerate(groups) for word in group}
        self._size = len(groups)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        counted = np.zeros((len(texts), self._size), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                if word in self._places:
                    counted[row, self._places[word]] += 1
        lengths = np.linalg.norm(counted, axis=1, keepdims=True)
        return (counted / np.where(lengths, lengths, 1.0)).astype(np.float32)


def write_model(folder: Path, groups: Sequence[Sequence[str]] = GROUPS) -> Path:
    """Write the same model as files, with one vector for each token, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {"[UNK]": 0} | {word: number for number, word in enumerate(sum(map(tuple, groups), ()), start=1)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))

    places = [place for place, group in enumerate(groups) for _ in group]
    table = np.zeros((len(vocabulary), len(groups)), np.float32)
    table[np.arange(1, len(vocabulary)), places] = 1
    shape = ["batch", "sequence"]
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, len(groups)])],
        [numpy_helper.from_array(table, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    return folder
