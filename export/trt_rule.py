# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What a rule is, what breaking one costs, and what a TensorRT release reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from kdp_edge.exporters.trt_graph import Graph
from kdp_edge.exporters.trt_tensor import FP8, INT4, INT8

# what the ONNX parser of TensorRT 10.1 to 10.3 imports (its docs/operators.md)
_NAMES = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast CastLike
Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DeformConv DepthToSpace
DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements
GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample
GroupNormalization GRU HardSigmoid HardSwish Hardmax Identity If ImageScaler InstanceNormalization IsInf
IsNaN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Loop LRN LSTM LpNormalization LpPool
MatMul Max MaxPool Mean MeanVarianceNormalization Min Mish Mod Mul Neg NonMaxSuppression NonZero Not
OneHot Or Pad ParametricSoftplus Pow PRelu QuantizeLinear RandomNormal RandomNormalLike RandomUniform
RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean
ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RNN RoiAlign Round
ScaledTanh Scan Scatter ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice
Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK
Transpose Trilu Unsqueeze Upsample Where Xor
"""
# what the parser of tensorrt-rtx 1.7 says it imports beyond that
_NEWER = """
Attention BlackmanWindow CausalConvWithState HammingWindow HannWindow LinearAttention RMSNormalization
RotaryEmbedding STFT Swish TensorScatter
"""


@dataclass(frozen=True)
class Profile:
    """What a TensorRT release reads."""

    key: str
    name: str
    opset: int
    ir: int
    operators: frozenset[str]
    integers: frozenset[int]  # element types of quantized values
    default_axis: int  # axis of QuantizeLinear and DequantizeLinear where it is left out; ONNX says 1


JETPACK6 = Profile(
    "jetpack6",
    "JetPack 6 (TensorRT 10.3)",
    opset=20,
    ir=10,
    operators=frozenset(_NAMES.split()),
    integers=frozenset({INT8, INT4}),
    default_axis=0,
)
TENSORRT11 = Profile(
    "tensorrt11",
    "TensorRT 11",
    opset=25,
    ir=13,
    operators=frozenset((_NAMES + _NEWER).split()),
    integers=frozenset({INT8, INT4, FP8}),
    default_axis=1,
)
PROFILES = {profile.key: profile for profile in (JETPACK6, TENSORRT11)}


PRECISIONS = ("int8", "fp16", "fp32")  # in which a file's layers shall run


class Cost(StrEnum):
    """What breaking a rule costs."""

    REJECTED = "rejected"  # no engine is built
    WRONG = "wrong"  # an engine is built and computes something else than the file says
    FLOAT = "float"  # an engine is built and computes it, but not in the precision that is asked for
    BUNDLE = "bundle"  # a promise of our own jetson bundles; TensorRT does not ask for it


Fault = tuple[str, str]  # where (node or tensor), and what was found and expected


@dataclass(frozen=True)
class Rule:
    """`find` yields every fault of a model, `advice` says what to do; it counts for `precisions`."""

    id: str
    cost: Cost
    meaning: str
    advice: str
    find: Callable[[Graph, Profile], Iterator[Fault]]
    precisions: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """A broken rule and where."""

    rule: str
    cost: Cost
    where: str
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}; {self.advice} [{self.rule}, {self.cost}]"


class Rules(list[Rule]):
    """Rules in the order in which they were written down."""

    def add(
        self, name: str, cost: Cost, meaning: str, advice: str, precisions: tuple[str, ...] = PRECISIONS
    ) -> Callable[[Callable[[Graph, Profile], Iterator[Fault]]], Callable[[Graph, Profile], Iterator[Fault]]]:
        """Register the decorated function as the rule `name`."""

        def register(
            find: Callable[[Graph, Profile], Iterator[Fault]],
        ) -> Callable[[Graph, Profile], Iterator[Fault]]:
            self.append(Rule(name, cost, meaning, advice, find, precisions))
            return find

        return register
