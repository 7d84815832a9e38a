/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Why something was not done: what every function of kernels and core returns instead of 0.
 *
 * Those down to KDP_ERROR_OTHER_SIGNALS also go over the wire, negated, in an error reply
 * (docs/protocol.md); the numbers are part of the protocol.
 */
#ifndef KDP_ERROR_H
#define KDP_ERROR_H

typedef enum kdp_error {
    KDP_OK = 0,
    KDP_ERROR_UNKNOWN_TYPE = -1,
    KDP_ERROR_BAD_LENGTH = -2,
    KDP_ERROR_NOT_READY = -3,       /* IDLE: RESET first */
    KDP_ERROR_STALE = -4,           /* step number not above the last one */
    KDP_ERROR_SELFTEST_FAILED = -5, /* no action at all */
    KDP_ERROR_NOT_ARMED = -6,       /* reserved: a latched device answers with its safe action */
    KDP_ERROR_BUSY = -7,            /* not IDLE: no new model now */
    KDP_ERROR_NO_SLOTS = -8,        /* this board keeps no models */
    KDP_ERROR_TOO_LARGE = -9,       /* for a slot */
    KDP_ERROR_OUT_OF_ORDER = -10,   /* not what a push expects next */
    KDP_ERROR_FLASH_FAILED = -11,   /* the flash does not hold what was written */
    KDP_ERROR_BAD_BLOB = -12,       /* damaged, malformed, or for another kernel */
    KDP_ERROR_OUT_OF_MEMORY = -13,  /* the model needs more RAM than there is, or memory is not aligned */
    KDP_ERROR_BAD_SIGNATURE = -14,  /* a model without a signature, or not by the key of this image */
    KDP_ERROR_OLDER = -15,          /* its sequence number is not above that of the model in use */
    KDP_ERROR_NOT_TAKEN = -16,      /* this image takes no model over the link: no key, and unsigned ones not allowed */
    KDP_ERROR_OTHER_SIGNALS = -17,  /* names, units, order or rate are not those of the model compiled in */

    /* what is wrong with a blob; on the wire all of them are KDP_ERROR_BAD_BLOB */
    KDP_ERROR_BLOB_SIZE = -32,       /* fewer bytes than the header says, or more */
    KDP_ERROR_BLOB_FORMAT = -33,     /* not a blob of this version */
    KDP_ERROR_BLOB_CRC = -34,        /* damaged */
    KDP_ERROR_BLOB_KERNEL = -35,     /* laid out for another kernel */
    KDP_ERROR_BLOB_DIMENSIONS = -36, /* out of range, or not those that the size belongs to */
    KDP_ERROR_BLOB_VALUES = -37,     /* not finite, -0.0, or beyond what the kernels compute exactly */
    KDP_ERROR_BLOB_LIMITS = -38,     /* limits out of order, a rate below 0, a gain not above 0 */

    KDP_ERROR_BAD_FRAME = -48, /* cut short, too long, or its CRC is wrong */

    KDP_ERROR_NET_ARGUMENT = -64, /* a null pointer, or k outside 1..KDP_MAX_K */
    KDP_ERROR_NET_SCRATCH = -65,  /* scratch too small or not aligned to KDP_ALIGNMENT bytes */
    KDP_ERROR_NET_KERNEL = -66,   /* the net's weights are laid out for another kernel */
    KDP_ERROR_NET_FAILED = -67    /* an inference that is not ours did not work (kdp_net_invoke) */
} kdp_error;

#endif
