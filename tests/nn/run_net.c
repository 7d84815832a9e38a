/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Test program: evaluates the net NET_SYMBOL of NET_HEADER for records from stdin.
 * record: k i32, shared i8[], columns i8[k][]; answer: i8[k][outputs]. Host byte order.
 * Before each answer it calls kdp_net_run in every wrong way and insists on the right error. */
#define _POSIX_C_SOURCE 200112L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include NET_HEADER

static void require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "run_net: %s\n", what);
        exit(1);
    }
}

/* Exact heap sizes everywhere, so that the address sanitizer sees a byte too far. */
static void *allocate(size_t size)
{
    void *memory = NULL;
    require(posix_memalign(&memory, KDP_ALIGNMENT, size) == 0, "out of memory");
    memset(memory, 0x55, size);
    return memory;
}

static void refuse_wrong_calls(const kdp_net *net, const int8_t *shared, const int8_t *columns, int k,
                               int8_t *out, void *scratch, size_t size)
{
    kdp_net other = *net;
    other.kernel = 99;
    require(kdp_net_run(NULL, shared, columns, k, out, scratch, size) == KDP_ERROR_NET_ARGUMENT, "no net");
    require(kdp_net_run(net, shared, NULL, k, out, scratch, size) == KDP_ERROR_NET_ARGUMENT, "no columns");
    require(kdp_net_run(net, shared, columns, k, NULL, scratch, size) == KDP_ERROR_NET_ARGUMENT, "no out");
    require(net->shared_size == 0 ||
                kdp_net_run(net, NULL, columns, k, out, scratch, size) == KDP_ERROR_NET_ARGUMENT, "no shared");
    require(kdp_net_run(net, shared, columns, 0, out, scratch, size) == KDP_ERROR_NET_ARGUMENT, "k 0");
    require(kdp_net_run(net, shared, columns, KDP_MAX_K + 1, out, scratch, size) == KDP_ERROR_NET_ARGUMENT, "k");
    require(kdp_net_run(&other, shared, columns, k, out, scratch, size) == KDP_ERROR_NET_KERNEL, "kernel");
    require(kdp_net_run(net, shared, columns, k, out, NULL, size) == KDP_ERROR_NET_SCRATCH, "no scratch");
    require(kdp_net_run(net, shared, columns, k, out, scratch, size - 1) == KDP_ERROR_NET_SCRATCH, "short");
    require(kdp_net_run(net, shared, columns, k, out, (char *)scratch + 4, size) == KDP_ERROR_NET_SCRATCH,
            "misaligned");
}

int main(void)
{
    const kdp_net *const net = &NET_SYMBOL;
    int32_t k;
    while (fread(&k, sizeof k, 1, stdin) == 1) {
        const size_t columns_size = (size_t)k * net->column_size, out_size = (size_t)k * net->output_size;
        const size_t scratch_size = kdp_net_scratch_size(net, k);
        int8_t *const shared = allocate(net->shared_size), *const columns = allocate(columns_size);
        int8_t *const out = allocate(out_size);
        void *const scratch = allocate(scratch_size);
        require(fread(shared, 1, net->shared_size, stdin) == net->shared_size, "short shared input");
        require(fread(columns, 1, columns_size, stdin) == columns_size, "short columns");
        refuse_wrong_calls(net, shared, columns, k, out, scratch, scratch_size);
        require((uint8_t)out[0] == 0x55, "a refused call wrote to out");
        require(kdp_net_run(net, shared, columns, k, out, scratch, scratch_size) == 0, "kdp_net_run failed");
        require(fwrite(out, 1, out_size, stdout) == out_size, "short write");
        free(shared), free(columns), free(out), free(scratch);
    }
    return 0;
}
