/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * A new model over the link, into the spare slot (docs/protocol.md, "A new model").
 *
 * Only in IDLE: nothing here runs between two control steps. Each request may come twice (a lost
 * reply) and then does nothing the second time.
 */
#ifndef KDP_PUSH_H
#define KDP_PUSH_H

#include <stdbool.h>

#include "kdp_engine.h"
#include "kdp_slots.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KDP_PUSH_BEGIN = 0x10,
    KDP_PUSH_DATA = 0x11,
    KDP_PUSH_COMMIT = 0x12,
    KDP_SLOT_INFO = 0x13
};

/* Bits of HELLO's flags that tell of models; the others are kdp_server.c's. */
enum {
    KDP_HELLO_PUSHED = 8,          /* the model in use came over the link */
    KDP_HELLO_NARROWED = 16,       /* its limits are wider than those compiled in, which count */
    KDP_HELLO_TAKES_UNSIGNED = 32, /* any model is taken */
    KDP_HELLO_TAKES_SIGNED = 64    /* models are taken that are signed with the image's key */
};

/* The models of a device, and the push at hand. */
typedef struct kdp_push {
    const kdp_model *compiled; /* the model that was compiled in */
    void *context;             /* of the port */
    kdp_blob blob;             /* the model from a slot, when one is in use */
    uint32_t active;           /* slot of the model in use, or KDP_SLOT_COMPILED */
    uint8_t hash[KDP_SHA256_SIZE]; /* of the blob in use, as flash holds it; all 0 for the model compiled in */
    bool begun;                /* a push is at hand: */
    uint32_t slot, size, crc;  /* where to, and what PUSH_BEGIN announced */
    uint32_t written;          /* bytes of it that flash holds */
} kdp_push;

/*
 * Choose the model at boot: the newest slot that passes every check of a push again, else the model
 * compiled in. Returns what kdp_engine_use returned for the one chosen.
 */
int kdp_push_boot(kdp_push *push, kdp_engine *engine);

/* Sequence number of the model in use. */
uint32_t kdp_push_sequence(const kdp_push *push);

/* Those of KDP_HELLO_* that are true now. */
uint32_t kdp_push_flags(const kdp_push *push);

/* Answer one of the four requests: the size of the reply payload at `to`, or an error. */
int kdp_push_answer(kdp_push *push, kdp_engine *engine, uint8_t type, const uint8_t *payload, size_t size,
                    uint8_t *to);

#ifdef __cplusplus
}
#endif

#endif
