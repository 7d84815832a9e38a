/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Any model of one shape, as exact as the shape: every array is a region of its own with just the size
 * that kdp_planner.h and kdp_nn.h give it, so that one element too far is an alarm. What it holds is
 * anything that kdp_blob_parse accepts.
 *
 * The shape is given by macros on the command line (prove.py).
 */
#ifndef KDP_PROVE_ANY_MODEL_H
#define KDP_PROVE_ANY_MODEL_H

#include "kdp_engine.h"

#define PAD(n, step) (((n) + (step) - 1) / (step) * (step))
#define ROWS(n) PAD(n, 2)
#define INPUTS(n) PAD(n, 4)
#define WINDOW (HORIZON * (OBS + ACT))
#define PLAYED (CRITIC_STEPS * ACT)
#define VECTORS 2 /* golden vectors */

#ifndef ONE_SHORT
#define ONE_SHORT 0 /* elements that an array lacks: the analysis must notice */
#endif

#ifndef AHEAD
#define AHEAD 0 /* 1: plans are made ahead, which is memory of its own */
#endif

/* What the generated header would ask for: the larger of the two nets' scratch. */
#define SCRATCH(width, inner, columns)                                                                     \
    KDP_SCRATCH(K, INPUTS(width), INPUTS(inner), INPUTS(columns), INPUTS(OBS), ROWS(width))
#define ANY_SCRATCH KDP_LARGER(SCRATCH(WIDTH, INNER, LATENT), SCRATCH(CRITIC_WIDTH, CRITIC_INNER, PLAYED))
#define ANY_MEMORY KDP_SERVER_MEMORY(OBS, ACT, HORIZON, K, LATENT, CRITIC_STEPS, AHEAD, ANY_SCRATCH)

/* Fill the model; actions are limited to -1..1. */
const kdp_model *any_model(void);

#endif
