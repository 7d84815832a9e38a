/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Nets that somebody else runs, TensorFlow Lite for Microcontrollers for one: planner, fail-safe and self-test of
 * kdp_policy.h around an inference of yours. Compile kdp_net_invoke.c instead of firmware/nn.
 */
#ifndef KDP_NET_INVOKE_H
#define KDP_NET_INVOKE_H

#include "kdp_nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Evaluate a net for one candidate. Your program defines it.
 *
 * net     kdp_model_data.generator or .critic: which of your interpreters it is
 * input   [net->shared_size + net->column_size] quantized as the model's input
 * output  [net->output_size] likewise
 * Returns 0, or KDP_ERROR_NET_FAILED: then there is no plan, and the control step has no action.
 */
int kdp_net_invoke(const kdp_net *net, const int8_t *input, int8_t *output);

/* Scratch bytes, of whatever number of candidates: the input of one. */
#define KDP_INVOKE_SCRATCH(shared, columns) KDP_ROUND_UP((size_t)(shared) + (columns))

#ifdef __cplusplus
}
#endif

#endif
