/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Self-test: the golden vectors of the model, planned on this device, compared byte for byte.
 */
#ifndef KDP_SELFTEST_H
#define KDP_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "kdp_planner.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KDP_NONE_FAILED 0xFFFFu

typedef struct kdp_selftest {
    bool passed;           /* all vectors */
    uint16_t vectors;      /* golden vectors run */
    uint16_t first_failed; /* index of the first that differed, KDP_NONE_FAILED without one */
} kdp_selftest;

/*
 * Plan each golden observation into `spare` and compare digest (every candidate byte and score),
 * choice and first action. Takes golden_count plans; changes no control state.
 */
kdp_selftest kdp_selftest_run(kdp_planner *planner, kdp_plan *spare);

#ifdef __cplusplus
}
#endif

#endif
