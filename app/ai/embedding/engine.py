"""Running the built-in model. Imported in the embedding process only."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from app.ai.embedding import DIMENSIONS, MAX_TOKENS

BATCH_TOKENS = 600
WINDOW = 100_000
"""Characters tokenised at a time when only the places of tokens are asked for."""


class Engine:
    """The model in memory; one thread."""

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(folder / "encoder.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        words = np.load(folder / "words.npz")
        self._scale, self._bits, self._places = words["scale"], words["bits"], words["places"]

    def offsets(self, text: str) -> list[int]:
        """The character at which each token starts."""
        self._tokenizer.no_truncation()
        found: list[int] = []
        for first in range(0, len(text), WINDOW):
            encoded = self._tokenizer.encode(text[first : first + WINDOW], add_special_tokens=False)
            found += [first + start for start, _ in encoded.offsets]
        return found

    def embed(self, texts: Sequence[str], kind: str) -> NDArray[np.float32]:
        """Unit-length vectors, shape (texts, 384). The model wants to know whether a text is a query or a passage."""
        self._tokenizer.enable_truncation(MAX_TOKENS)
        encoded = [e.ids for e in self._tokenizer.encode_batch([f"{kind}: {text}" for text in texts])]
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
        vectors = np.empty((len(encoded), DIMENSIONS), np.float32)
        first = 0
        while first < len(order):
            last = first + 1
            while last < len(order) and len(encoded[order[last]]) * (last - first + 1) <= BATCH_TOKENS:
                last += 1
            batch = order[first:last]
            vectors[batch] = self._run([encoded[i] for i in batch])
            first = last
        return vectors

    def _run(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        length = max(map(len, batch))
        ids = np.ones((len(batch), length), np.int64)
        mask = np.zeros((len(batch), length), np.int32)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        hidden = self._session.run(None, {"x": self._words(ids) + self._places[:length][None], "mask": mask})[0]
        # Mean over the tokens that are there, then length 1.
        summed = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        unit: NDArray[np.float32] = summed / np.linalg.norm(summed, axis=1, keepdims=True)
        return unit

    def _words(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        bits = self._bits[ids]
        values = np.concatenate([(bits & 15).astype(np.int8) - 8, (bits >> 4).astype(np.int8) - 8], -1)
        scaled: NDArray[np.float32] = values.astype(np.float32) * self._scale[ids].astype(np.float32)[..., None]
        return scaled.reshape(*ids.shape, -1)
