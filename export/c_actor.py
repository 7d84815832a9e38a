# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An actor's integer net -> one C header and source that firmware/nn runs: constants only, no code."""

from __future__ import annotations

from kdp_edge.exporters.actor_layout import ActorArrays, OpArrays, lay_out_actor
from kdp_edge.exporters.c_layout import kernel_named
from kdp_edge.exporters.c_source import ArrayTexts, CSource, source_text
from kdp_edge.quantization.integer_net import Add, IntegerNet, Linear


def c_actor(net: IntegerNet, symbol: str, kernel: str) -> CSource:
    """Write `net`, all of whose inputs are the observation, for a kernel of firmware/nn.

    Args:
        net: any chain of layers, sums and tables.
        symbol: C name of the `kdp_net` constant, lower case.
        kernel: "portable", "m4" or "mve"; must be what the C compiler will select.
    Raises:
        KdpError: sums beyond the kernel's range.
    """
    layout = kernel_named(kernel)
    actor = lay_out_actor(net, layout)
    arrays = ArrayTexts(symbol)
    ops = [_op(number, op, actor, arrays) for number, op in enumerate(actor.ops)]
    constants = [
        *arrays.texts,
        f"static const kdp_op {symbol}_ops[{len(ops)}] = {{\n{''.join(ops)}}};\n",
        f"static const kdp_actor {symbol}_actor = {{{symbol}_ops, {len(ops)}, {actor.work_at}, "
        f"{actor.sums_at}, {actor.scratch}}};\n",
        f"const kdp_net {symbol} = {{\n    .kernel = {layout.macro},\n    .shared_size = {net.input_size},\n"
        f"    .output_size = {net.output_size},\n    .actor = &{symbol}_actor,\n}};\n",
    ]
    source = source_text(net, symbol, layout, constants)
    scratch = f"{actor.scratch}u"
    what = (symbol, net, net.input_size, layout)
    return CSource(*what, scratch, source, arrays.data_bytes, None, actor.scratch)


def _op(number: int, arrays: OpArrays, actor: ActorArrays, texts: ArrayTexts) -> str:
    op, name = arrays.op, f"op{number}"
    least = -128 if not getattr(op, "relu", False) else 0
    fields: dict[str, int | str] = {"least": least, "from_size": arrays.from_size, "to_size": arrays.to_size}
    fields |= {"from": actor.places[op.inputs[0]], "to": actor.places[op.output]}
    if isinstance(op, Linear):
        weights = texts.add(f"{name}_weights", "int8_t", arrays.weights)
        biases = texts.add(f"{name}_biases", "int32_t", arrays.biases)
        fields |= {
            "kind": "KDP_OP_DENSE",
            "layer": f"{{{weights}, {biases}, {arrays.inputs}, {arrays.outputs}}}",
            "multipliers": texts.add(f"{name}_multipliers", "int32_t", arrays.multipliers),
            "shifts": texts.add(f"{name}_shifts", "uint8_t", arrays.shifts),
        }
    elif isinstance(op, Add):
        tables = texts.add(f"{name}_tables", "int32_t", arrays.tables)
        multiplier, shift = arrays.sum
        fields |= {
            "kind": "KDP_OP_ADD",
            "other": actor.places[op.right],
            "add": f"{{{tables} + 128, {tables} + 384, {multiplier}, {1 << (shift - 1)}, {shift}}}",
        }
    else:
        fields |= {
            "kind": "KDP_OP_TABLE",
            "table": f"{texts.add(f'{name}_table', 'int8_t', arrays.tables)} + 128",
        }
    return "    {" + ", ".join(f".{field} = {value}" for field, value in fields.items()) + "},\n"
