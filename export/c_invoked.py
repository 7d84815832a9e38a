# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A net that another inference runs, as C: its sizes alone, for firmware/invoke."""

from __future__ import annotations

from kdp_edge.exporters.licence import c_head
from kdp_edge.quantization.integer_net import IntegerNet


def c_invoked(net: IntegerNet, symbol: str, shared_size: int) -> tuple[str, str]:
    """Text of `<symbol>.h` and `<symbol>.c`; the first `shared_size` inputs are those of all candidates."""
    macro, columns = symbol.upper(), net.input_size - shared_size
    title = f"Integer net {net.name!r}, sha256 {net.sha256()}: its sizes. Generated."
    header = [
        *c_head(title),
        f"#ifndef {macro}_H",
        f"#define {macro}_H",
        "",
        '#include "kdp_net_invoke.h"',
        "",
        f"#define {macro}_SHARED {shared_size}",
        f"#define {macro}_COLUMNS {columns}",
        f"#define {macro}_OUTPUTS {net.output_size}",
        f"#define {macro}_SCRATCH(k) KDP_INVOKE_SCRATCH({macro}_SHARED, {macro}_COLUMNS)",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        f"extern const kdp_net {symbol};",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
        "",
    ]
    sizes = {"shared_size": shared_size, "column_size": columns, "output_size": net.output_size}
    source = [
        *c_head(title),
        f'#include "{symbol}.h"',
        "",
        f"const kdp_net {symbol} = {{",
        *(f"    .{name} = {size}," for name, size in sizes.items()),
        "};",
        "",
    ]
    return "\n".join(header), "\n".join(source)
