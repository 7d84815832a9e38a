/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* What a kernel provides to kdp_net_run. Inside firmware/nn only.
 *
 * `kdp_activation` buffers hold k candidates; candidate j starts at j * stride, and a kernel may
 * interleave the candidates of a group among themselves. */
#ifndef KDP_KERNEL_H
#define KDP_KERNEL_H

#include "kdp_nn.h"

#ifdef __cplusplus
extern "C" {
#endif

#if KDP_KERNEL == KDP_KERNEL_M4 || KDP_KERNEL == KDP_KERNEL_DUAL
typedef int16_t kdp_activation;
#else
typedef int8_t kdp_activation;
#endif

/* sums[o] = bias[o] + weights[o] . shared [size], any int8, once for all candidates; `work` holds layer->inputs.
 * All kernels but Helium's give twice the sums. */
void kdp_kernel_shared(const kdp_layer *layer, const int8_t *shared, int size, kdp_activation *work, int32_t *sums);

/* hidden = relu(requantize(sums + weights . columns)); `work` holds k * first.inputs. */
void kdp_kernel_first(const kdp_net *net, const int32_t *sums, const int8_t *columns, int k,
                      kdp_activation *work, kdp_activation *hidden);

/* inner = relu(requantize(bias + weights . hidden)). */
void kdp_kernel_inner(const kdp_net *net, const kdp_layer *layer, int k, const kdp_activation *hidden,
                      kdp_activation *inner);

/* hidden = relu(hidden + requantize(bias + weights . inner)), in place. */
void kdp_kernel_branch(const kdp_net *net, const kdp_block *block, int k, const kdp_activation *inner,
                       kdp_activation *hidden);

/* out = requantize(bias + weights . hidden), plain [k][output_size]. */
void kdp_kernel_last(const kdp_net *net, int k, const kdp_activation *hidden, int8_t *out);

#ifdef __cplusplus
}
#endif

#endif
