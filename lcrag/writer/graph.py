"""The writer as an OpenVINO model with int8 weights: Llama (Touvron et al. 2023), with its KV cache as state.

Inputs: ``input_ids`` and ``position_ids`` (int64, batch x length), ``beam_idx`` (int32, batch; zeros). Output:
``logits`` (float32, batch x vocabulary) of the last token. Norms, rotary embedding and attention have the forms that
OpenVINO replaces by its own kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lcrag.writer.runtime import openvino
from lcrag.writer.weights import HEAD, HEADS, HIDDEN, KV_HEADS, LAYERS, NORM_EPSILON, ROPE_BASE

if TYPE_CHECKING:
    import numpy.typing as npt

    Quantised = tuple[npt.NDArray[np.int8], npt.NDArray[np.float16]]

_LAST: Final = 2**31 - 1


def quantise(weight: npt.NDArray[np.float32]) -> Quantised:
    """A matrix in int8, and one scale a row."""
    scale = (np.abs(weight).max(axis=1, keepdims=True) / 127).astype(np.float16)
    scale = np.maximum(scale, np.finfo(np.float16).smallest_subnormal)
    return np.clip(np.rint(weight / scale.astype(np.float32)), -127, 127).astype(np.int8), scale


def network(matrices: Mapping[str, Quantised], norms: Mapping[str, npt.NDArray[np.float32]]) -> Any:
    """The ``openvino.Model`` of all matrices and norms, under Hugging Face's names."""
    return _Network(matrices, norms).model()


class _Network:
    def __init__(self, matrices: Mapping[str, Quantised], norms: Mapping[str, npt.NDArray[np.float32]]) -> None:
        self.ov = openvino()
        self.op = self.ov.opset15
        self.matrices, self.norms = matrices, norms
        self.states: list[Any] = []
        integer = self.ov.Type.i64
        self.ids = self._input("input_ids", [-1, -1], integer)
        self.positions = self._input("position_ids", [-1, -1], integer)
        self.rows = self._input("beam_idx", [-1], self.ov.Type.i32)
        op = self.op
        frequencies = ROPE_BASE ** (-np.arange(0, HEAD, 2) / HEAD)
        turned = op.matmul(
            self._floats(frequencies.reshape(1, -1, 1)),
            op.convert(op.unsqueeze(self.positions, self._integers(1)), "f32"),
            False,
            False,
        )
        angles = op.transpose(turned, self._integers(0, 2, 1))
        angles = op.concat([angles, angles], -1)
        self.cos = op.unsqueeze(op.cos(angles), self._integers(1))
        self.sin = op.unsqueeze(op.sin(angles), self._integers(1))

    def model(self) -> Any:
        op = self.op
        embedding = self._matrix("model.embed_tokens.weight")
        hidden = op.gather(embedding, self.ids, op.constant(np.int32(0)))
        for layer in range(LAYERS):
            name = f"model.layers.{layer}"
            hidden = op.add(hidden, self._attention(self._norm(hidden, f"{name}.input_layernorm"), f"{name}.self_attn"))
            hidden = op.add(hidden, self._mlp(self._norm(hidden, f"{name}.post_attention_layernorm"), f"{name}.mlp"))
        last = op.gather(hidden, op.constant(np.int64(-1)), op.constant(np.int64(1)))
        last = op.unsqueeze(last, self._integers(1))
        logits = op.matmul(self._norm(last, "model.norm"), embedding, False, True)
        result = op.result(op.squeeze(logits, self._integers(1)))
        result.output(0).set_names({"logits"})
        return self.ov.Model([result], self.states, [self.ids, self.positions, self.rows], "writer")

    def _attention(self, x: Any, name: str) -> Any:
        op = self.op
        query = self._rotate(self._heads(self._linear(x, f"{name}.q_proj"), HEADS))
        key = self._rotate(self._heads(self._linear(x, f"{name}.k_proj"), KV_HEADS))
        value = self._heads(self._linear(x, f"{name}.v_proj"), KV_HEADS)
        key, value = (self._cached(new, f"{name}.{part}") for new, part in ((key, "key"), (value, "value")))
        mixed = op.scaled_dot_product_attention(query, self._repeated(key), self._repeated(value), causal=True)
        joined = op.reshape(op.transpose(mixed, self._integers(0, 2, 1, 3)), self._integers(0, 0, HIDDEN), True)
        return self._linear(joined, f"{name}.o_proj")

    def _mlp(self, x: Any, name: str) -> Any:
        op = self.op
        gate = op.swish(self._linear(x, f"{name}.gate_proj"))
        return self._linear(op.multiply(gate, self._linear(x, f"{name}.up_proj")), f"{name}.down_proj")

    def _norm(self, x: Any, name: str) -> Any:
        """RMSNorm (Zhang & Sennrich 2019)."""
        op = self.op
        mean = op.reduce_mean(op.power(x, self._floats([[[2]]])), self._integers(-1), True)
        root = op.sqrt(op.add(mean, self._floats([[[NORM_EPSILON]]])))
        scaled = op.multiply(x, op.divide(self._floats([[[1]]]), root))
        return op.multiply(scaled, self._floats(self.norms[f"{name}.weight"].reshape(1, 1, -1)))

    def _rotate(self, x: Any) -> Any:
        """Rotary embedding (Su et al. 2021), halves rather than pairs."""
        op = self.op
        axis, step, half = self._integers(-1), self._integers(1), self._integers(HEAD // 2)
        first = op.slice(x, self._integers(0), half, step, axis)
        second = op.slice(x, half, self._integers(_LAST), step, axis)
        turned = op.concat([op.multiply(second, self._floats([[[[-1]]]])), first], -1)
        return op.add(op.multiply(x, self.cos), op.multiply(turned, self.sin))

    def _cached(self, new: Any, name: str) -> Any:
        """All keys or values until now, which become the state ``name``."""
        op, util = self.op, self.ov.op.util
        info = util.VariableInfo()
        info.data_shape = self.ov.PartialShape([-1, KV_HEADS, -1, HEAD])
        info.data_type = self.ov.Type.f32
        info.variable_id = name
        variable = util.Variable(info)
        batch = op.gather(op.shape_of(self.ids), self._integers(0), self._integers(0))
        empty = op.broadcast(self._floats(0), op.concat([batch, self._integers(KV_HEADS, 0, HEAD)], 0))
        before = op.gather(op.read_value(empty, variable), self.rows, op.constant(np.int64(0)))
        both = op.concat([before, new], -2)
        self.states.append(op.assign(both, variable))
        return both

    def _repeated(self, x: Any) -> Any:
        """Each head of keys or values once for every head of queries that shares it (Ainslie et al. 2023)."""
        op = self.op
        shape = self._integers(1, 1, HEADS // KV_HEADS, 1, 1)
        copies = op.broadcast(op.unsqueeze(x, self._integers(2)), shape, broadcast_spec="BIDIRECTIONAL")
        return op.reshape(copies, self._integers(0, HEADS, -1, HEAD), True)

    def _heads(self, x: Any, heads: int) -> Any:
        shaped = self.op.reshape(x, self._integers(0, 0, heads, HEAD), True)
        return self.op.transpose(shaped, self._integers(0, 2, 1, 3))

    def _linear(self, x: Any, name: str) -> Any:
        return self.op.matmul(x, self._matrix(f"{name}.weight"), False, True)

    def _matrix(self, name: str) -> Any:
        op = self.op
        steps, scale = self.matrices[name]
        return op.convert(op.multiply(op.convert(op.constant(steps), "f16"), op.constant(scale)), "f32")

    def _input(self, name: str, shape: list[int], kind: Any) -> Any:
        parameter = self.op.parameter(shape, kind, name=name)
        parameter.output(0).set_names({name})
        return parameter

    def _integers(self, *values: int) -> Any:
        return self.op.constant(np.array(values, np.int64))

    def _floats(self, values: Any) -> Any:
        return self.op.constant(np.array(values, np.float32))
