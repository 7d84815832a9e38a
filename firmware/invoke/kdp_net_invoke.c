/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_net_invoke.h"

#include <string.h>

size_t kdp_net_scratch_size(const kdp_net *net, int k)
{
    (void)k;
    return KDP_INVOKE_SCRATCH(net->shared_size, net->column_size);
}

int kdp_net_run(const kdp_net *net, const int8_t *shared, const int8_t *columns, int k, int8_t *out,
                void *scratch, size_t scratch_size)
{
    if (net == NULL || columns == NULL || out == NULL || k < 1 || k > KDP_MAX_K ||
        (shared == NULL && net->shared_size > 0)) {
        return KDP_ERROR_NET_ARGUMENT;
    }
    if (scratch == NULL || scratch_size < kdp_net_scratch_size(net, k)) {
        return KDP_ERROR_NET_SCRATCH;
    }
    int8_t *const input = (int8_t *)scratch;
    if (net->shared_size > 0) {
        memcpy(input, shared, net->shared_size);
    }
    for (int i = 0; i < k; i++) {
        memcpy(input + net->shared_size, columns, net->column_size);
        int status = kdp_net_invoke(net, input, out);
        if (status != 0) {
            return status;
        }
        columns += net->column_size;
        out += net->output_size;
    }
    return 0;
}
