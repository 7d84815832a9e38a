/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The core's own float32: any two numbers, infinities and NaN among them.
 */
#include "any.h"
#include "kdp_float.h"

int main(void)
{
    float a, b;
    any_bytes(&a, sizeof a);
    any_bytes(&b, sizeof b);
    float results[3] = {kdp_float_add(a, b), kdp_float_multiply(a, b), kdp_float_of((int8_t)any_between(-128, 127))};
    return results[0] < results[1] || results[1] < results[2];
}
