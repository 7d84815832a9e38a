/* Test program: evaluates the net named by -DNET_SYMBOL=symbol for records from stdin.
 * record: k i32, shared i8[], columns i8[k][]; answer: i8[k][outputs]. Host byte order. */
#define _POSIX_C_SOURCE 200112L
#include <stdio.h>
#include <stdlib.h>

#include NET_HEADER

static void require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "run_net: %s\n", what);
        exit(1);
    }
}

int main(void)
{
    const kdp_net *const net = &NET_SYMBOL;
    int32_t k;
    while (fread(&k, sizeof k, 1, stdin) == 1) {
        /* exact heap sizes, so that the address sanitizer sees a byte too far */
        const size_t columns_size = (size_t)k * net->column_size, out_size = (size_t)k * net->output_size;
        const size_t scratch_size = kdp_net_scratch_size(net, k);
        int8_t *const shared = malloc(net->shared_size + 1u), *const columns = malloc(columns_size);
        int8_t *const out = malloc(out_size);
        void *scratch = NULL;
        require(posix_memalign(&scratch, KDP_ALIGNMENT, scratch_size) == 0, "out of memory");
        require(shared != NULL && columns != NULL && out != NULL, "out of memory");
        require(fread(shared, 1, net->shared_size, stdin) == net->shared_size, "short shared input");
        require(fread(columns, 1, columns_size, stdin) == columns_size, "short columns");
        require(kdp_net_run(net, shared, columns, k, out, scratch, scratch_size - 1) == KDP_NN_ERROR_SCRATCH,
                "a scratch one byte too small is not refused");
        require(kdp_net_run(net, shared, columns, k, out, scratch, scratch_size) == 0, "kdp_net_run failed");
        require(fwrite(out, 1, out_size, stdout) == out_size, "short write");
        free(shared), free(columns), free(out), free(scratch);
    }
    return 0;
}
