/*
 * A new model over the link, into the spare slot (docs/protocol.md, "A new model").
 *
 * Only in IDLE: nothing here runs between two control steps. Each request may come twice (a lost
 * reply) and then does nothing the second time.
 */
#ifndef KDP_PUSH_H
#define KDP_PUSH_H

#include <stdbool.h>

#include "kdp_slots.h"

enum {
    KDP_PUSH_BEGIN = 0x10,
    KDP_PUSH_DATA = 0x11,
    KDP_PUSH_COMMIT = 0x12,
    KDP_SLOT_INFO = 0x13
};

/* Why such a request was refused; the self-test's refusal is KDP_REFUSED_SELFTEST. */
enum {
    KDP_REFUSED_BUSY = 7,      /* not IDLE */
    KDP_REFUSED_NO_SLOTS = 8,  /* this board keeps no models */
    KDP_REFUSED_TOO_LARGE = 9, /* for a slot */
    KDP_REFUSED_ORDER = 10,    /* not what a push expects next */
    KDP_REFUSED_FLASH = 11,    /* the flash does not hold what was written */
    KDP_REFUSED_BLOB = 12,     /* damaged, malformed, or for another kernel */
    KDP_REFUSED_MEMORY = 13    /* the model needs more RAM than this firmware was built with */
};

struct kdp_server;

/* The models of a server, and the push at hand. */
typedef struct kdp_push {
    const kdp_model *compiled; /* the model that was compiled in */
    kdp_blob blob;             /* the model from a slot, when one is in use */
    uint32_t active;           /* slot of the model in use, or KDP_SLOT_COMPILED */
    bool begun;                /* a push is at hand: */
    uint32_t slot, size, crc;  /* where to, and what PUSH_BEGIN announced */
    uint32_t written;          /* bytes of it that flash holds */
} kdp_push;

/*
 * Choose the model at boot: the newest slot that is sound and passes its self-test, else the model
 * compiled in. Returns what kdp_server_use returned for the one chosen.
 */
int kdp_push_boot(struct kdp_server *server);

/* Answer one of the four requests: the size of the reply payload at `to`, or a negated refusal. */
int kdp_push_answer(struct kdp_server *server, uint8_t type, const uint8_t *payload, size_t size, uint8_t *to);

#endif
