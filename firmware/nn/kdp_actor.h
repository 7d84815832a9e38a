/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* Runs an actor for kdp_net_run. Inside firmware/nn only. */
#ifndef KDP_ACTOR_H
#define KDP_ACTOR_H

#include "kdp_kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out [size of the last operation's result] = the actor's answer to `input`; scratch as in kdp_net_run. */
void kdp_actor_run(const kdp_actor *actor, const int8_t *input, int8_t *out, uint8_t *scratch);

#ifdef __cplusplus
}
#endif

#endif
