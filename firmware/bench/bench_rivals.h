/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* KDP's rivals as integer nets: constants that kdp_edge/bench/firmware/rivals.py writes into bench_rival_data.c. */
#ifndef BENCH_RIVALS_H
#define BENCH_RIVALS_H

#include "kdp_model.h"

/* One denoising step at its noise level: noisy <- (keep * noisy + gain * clean) / 2^15. */
typedef struct {
    const int32_t *rows; /* the first layer's bias, the noise level's part included */
    int32_t keep, gain;
} bench_step;

/* A way to denoise. */
typedef struct {
    int count; /* evaluations of a plan */
    const bench_step *steps;
} bench_schedule;

typedef struct {
    uint32_t digest; /* CRC-32 of all windows, then all scores */
    uint8_t best;
} bench_answer;

extern const kdp_net bench_denoiser; /* [observation | noisy window] -> clean window */
extern const kdp_net bench_clone;    /* observation -> window */
extern const bench_schedule bench_schedules[3];
extern const bench_answer bench_answers[4][16]; /* of the schedules, then of the clone, to the golden observations */

/* `count` plans of a case, without what a call from outside costs: for a clock that is read from outside. */
void bench_repeat(int which, int call, int count);

#endif
