"""An embedding model, run by ONNX Runtime: texts become vectors, and texts of a like meaning near vectors.

The folder has two files: `model.onnx`, a transformer with the inputs of BERT whose first output has a vector for each
token, and `tokenizer.json` of the library tokenizers. The vector of a text is the mean over its tokens, as
Sentence-BERT takes it (Reimers and Gurevych, 2019). This is the only module that imports the two libraries. Neither is
asked for anything that is not in the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions
from tokenizers import Tokenizer

from federations.search.model_folder import MODEL_FILE, TOKENIZER_FILE, ModelError, problem_of

MAX_TOKENS = 128
"""The rest of a longer text is not read: the time of a text grows with the square of its length."""

BATCH = 16

_SEVERE = 3


class OnnxModel:
    """A model in memory. Threads may share it.

    `name` follows from the content of the files, so another model has another name. Raises ModelError if the folder
    has no model that can be loaded.
    """

    def __init__(self, folder: Path) -> None:
        if problem := problem_of(folder):
            raise ModelError(problem)
        options = SessionOptions()
        # The processors are for other requests, and a pool of threads would not survive a fork.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # The arena would keep the memory of the largest batch for ever.
        options.enable_cpu_mem_arena = False
        options.log_severity_level = _SEVERE
        model, tokenizer = folder / MODEL_FILE, folder / TOKENIZER_FILE
        try:
            self.name = _digest(model, tokenizer)
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(MAX_TOKENS)
            self._session = InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
            self._inputs = {each.name for each in self._session.get_inputs()}
            self.embed(["a text"])
        except Exception as exc:
            # Neither library has a class of its own for this.
            raise ModelError(f"the model cannot be used ({type(exc).__name__})") from exc

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a row of length 1 for each text, or of zeros for a text without tokens."""
        # A lone surrogate is no character, and the tokenizer refuses it.
        tokens = [self._tokenizer.encode(text.encode("utf-8", "replace").decode()).ids for text in texts]
        # A batch is as wide as its longest text, so texts of one length go together.
        order = sorted(range(len(texts)), key=lambda each: len(tokens[each]))
        rows = [
            row for start in range(0, len(order), BATCH) for row in self._batch(tokens, order[start : start + BATCH])
        ]
        found = np.empty((len(rows), len(rows[0]) if rows else 0), np.float32)
        found[order] = rows
        return found

    def _batch(self, tokens: Sequence[Sequence[int]], chosen: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        width = max(1, *(len(tokens[each]) for each in chosen))
        ids = np.zeros((len(chosen), width), np.int64)
        mask = np.zeros_like(ids)
        for row, each in enumerate(chosen):
            ids[row, : len(tokens[each])] = tokens[each]
            mask[row, : len(tokens[each])] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        output = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        summed = np.einsum("btd,bt->bd", output, mask.astype(np.float32))
        lengths = np.linalg.norm(summed, axis=1, keepdims=True)
        yield from (summed / np.where(lengths, lengths, 1.0)).astype(np.float32)


def _digest(*paths: Path) -> str:
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
