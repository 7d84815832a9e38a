/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_nn.h"

#include "kdp_actor.h"
#include "kdp_kernel.h"

static size_t hidden_bytes(const kdp_net *net, int k)
{
    return KDP_ROUND_UP((size_t)k * net->hidden_stride * KDP_ELEMENT);
}

size_t kdp_net_scratch_size(const kdp_net *net, int k)
{
    if (net->actor != NULL) {
        return net->actor->scratch;
    }
    return KDP_SCRATCH(k, net->hidden_stride, net->inner_stride, net->first.inputs, net->shared.inputs,
                       net->first.outputs);
}

int kdp_net_run(const kdp_net *net, const int8_t *shared, const int8_t *columns, int k, int8_t *out,
                void *scratch, size_t scratch_size)
{
    if (net == NULL || columns == NULL || out == NULL || k < 1 || k > KDP_MAX_K ||
        (shared == NULL && net->shared_size > 0) || (net->actor != NULL && k != 1)) {
        return KDP_ERROR_NET_ARGUMENT;
    }
    if (net->kernel != KDP_KERNEL) {
        return KDP_ERROR_NET_KERNEL;
    }
    const size_t needed = kdp_net_scratch_size(net, k);
    if (scratch == NULL || scratch_size < needed || (uintptr_t)scratch % KDP_ALIGNMENT != 0) {
        return KDP_ERROR_NET_SCRATCH;
    }
    if (net->actor != NULL) {
        kdp_actor_run(net->actor, shared, out, scratch);
        return 0;
    }
    /* [hidden][inner, before that the packed inputs][sums of the shared inputs] */
    uint8_t *const bytes = scratch;
    void *const hidden = bytes;
    void *const inner = bytes + hidden_bytes(net, k);
    void *const sums = bytes + needed - KDP_ROUND_UP(net->first.outputs * 4u);

    kdp_kernel_shared(&net->shared, shared, net->shared_size, inner, sums);
    kdp_kernel_first(net, sums, columns, k, inner, hidden);
    for (int i = 0; i < net->block_count; i++) {
        kdp_kernel_inner(net, &net->blocks[i].inner, k, hidden, inner);
        kdp_kernel_branch(net, &net->blocks[i], k, inner, hidden);
    }
    kdp_kernel_last(net, k, hidden, out);
    return 0;
}
