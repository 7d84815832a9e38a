#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
# Builds the TensorRT engines of this bundle on this device, and times them. An engine works only with the
# TensorRT version, GPU and model that it was built for; its file name says which. Never copy engines.
set -euo pipefail
cd "$(dirname "$0")"
sha256sum --quiet -c SHA256SUMS || { echo "build_engine.sh: a file of this bundle is damaged; copy the bundle again" >&2; exit 2; }
TRTEXEC=${TRTEXEC:-$(command -v trtexec || echo /usr/src/tensorrt/bin/trtexec)}
[ -x "$TRTEXEC" ] || { echo "build_engine.sh: trtexec not found; install it (JetPack: sudo apt install libnvinfer-bin) or set TRTEXEC" >&2; exit 3; }
HELP=$("$TRTEXEC" --help 2>&1 || true)
TYPED=()
if grep -q -- '--stronglyTyped' <<<"$HELP"; then TYPED=(--stronglyTyped); fi  # TensorRT 10; always on in 11
K=@K@
[ $# -gt 0 ] || set -- int8 fp16 fp32  # each argument a precision
for precision in "$@"; do
  case $precision in int8 | fp16 | fp32) ;; *) echo "build_engine.sh: unknown precision '$precision'; known: int8 fp16 fp32" >&2; exit 2 ;; esac
done
mkdir -p engines

build() {  # net, inputs, precision
  local net=$1 shape="input:${K}x$2" name flags=("${TYPED[@]}")
  if [ "$3" != int8 ]; then net=$1.$3; fi
  # TensorFloat-32 has the mantissa of float16
  if [ "$3" = fp32 ] && grep -q -- '--noTF32' <<<"$HELP"; then flags+=(--noTF32); fi
  name=$(python3 agent.py --engine-name "$net")
  echo "building engines/$name"
  "$TRTEXEC" --onnx="$net.onnx" --saveEngine="engines/$name.tmp" "${flags[@]}" \
    --minShapes="$shape" --optShapes="$shape" --maxShapes="$shape" \
    --timingCacheFile="engines/timing.cache" --builderOptimizationLevel=4 \
    --profilingVerbosity=detailed --exportLayerInfo="engines/$net.layers.json" --skipInference
  mv "engines/$name.tmp" "engines/$name"
  "$TRTEXEC" --loadEngine="engines/$name" --shapes="$shape" --useCudaGraph --useSpinWait \
    --warmUp=500 --duration=5 --percentile=50,95,99 --exportTimes="engines/$net.times.json"
}

for precision in "$@"; do
@BUILDS@
done
(cd engines && sha256sum ./*.plan > SHA256SUMS)
echo "done; start the agent: python3 agent.py, or with --precision $1"
