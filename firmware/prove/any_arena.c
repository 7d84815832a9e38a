/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * An arena whose pieces are regions of their own, not a byte longer than was asked for: one element too far in
 * any of them is an alarm, not a look at the next piece.
 */
#include "any_model.h"

enum { PIECES = 11 }; /* of planner, fail-safe and engine */

/* not rows of one array: behind each there must be nothing */
static uint8_t p0[ANY_MEMORY], p1[ANY_MEMORY], p2[ANY_MEMORY], p3[ANY_MEMORY], p4[ANY_MEMORY];
static uint8_t p5[ANY_MEMORY], p6[ANY_MEMORY], p7[ANY_MEMORY], p8[ANY_MEMORY], p9[ANY_MEMORY];
static uint8_t p10[ANY_MEMORY];
static uint8_t *const pieces[PIECES] = {p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10};
static size_t taken;

void *kdp_arena_take(kdp_arena *arena, size_t size)
{
    size_t rounded = KDP_ROUND(size);
    taken = arena->left == ANY_MEMORY ? 0 : taken + 1;
    if (rounded > arena->left || taken >= PIECES) {
        return NULL;
    }
    arena->next += rounded;
    arena->left -= rounded;
    return pieces[taken] + (ANY_MEMORY - size);
}
