/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Change every bit of a blob, one at a time: prints how many of them the parser accepted. */
#include <stdio.h>

#include "kdp_blob.h"

KDP_ALIGNED static uint8_t data[1 << 20];
static kdp_blob blob;

int main(int count, char **arguments)
{
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    size_t size = file != NULL ? fread(data, 1, sizeof data, file) : 0;
    unsigned accepted = 0;
    if (size == 0 || kdp_blob_parse(&blob, data, size) != 0) {
        puts("the blob itself is refused");
        return 1;
    }
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            data[at] ^= (uint8_t)(1 << bit);
            accepted += kdp_blob_parse(&blob, data, size) == 0;
            data[at] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t cut = 0; cut < size; cut++) {
        accepted += kdp_blob_parse(&blob, data, cut) == 0;
    }
    printf("%u\n", accepted);
    return 0;
}
