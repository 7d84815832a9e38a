/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The one thing that a policy asks of its surroundings: what time it is. Your program defines it.
 */
#ifndef KDP_CLOCK_H
#define KDP_CLOCK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A free-running counter that wraps at 2^32, also while the core sleeps between two control steps. One plan
 * takes less than one wrap.
 *
 * It is linked, not pointed to: so the call graph is whole, and the worst-case stack can be computed.
 *
 * context  what kdp_policy_init or kdp_server_init was given, for a program whose policies have several clocks
 */
uint32_t kdp_port_now(void *context);

#ifdef __cplusplus
}
#endif

#endif
