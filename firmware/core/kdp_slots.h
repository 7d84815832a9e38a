/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Two places in flash for models that arrived over the link.
 *
 *     slot: commit record (32 bytes) | blob (kdp_blob.h)
 *
 * The model in use is never touched: a new one goes into the other slot and counts only once its
 * commit record is there, a single flash word that is written after everything else was verified.
 *
 *     erase spare -> program blob -> CRC of what flash now holds -> SHA-256 and signature -> parse, limits,
 *     signals -> golden self-test on this device -> program commit record
 *
 * A power cut before the last step leaves the old model in use, after it the new one. At boot the
 * newest committed slot that passes all these checks again is taken, else the other one, else the
 * model that was compiled in.
 */
#ifndef KDP_SLOTS_H
#define KDP_SLOTS_H

#include "kdp_error.h"
#include "kdp_blob.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KDP_SLOTS 2u
#define KDP_SLOT_COMPILED 0xFFu /* the model that was compiled in */

/* What is programmed at once, at a multiple of it, and never twice after an erase. STM32H7's flash word. */
#define KDP_FLASH_WORD 32u

/*
 * Slots belong to the model that was compiled in, `owner` below: the first four bytes of its hash.
 * Another image flashed starts with its own model, not with one that was pushed to an older image.
 */

/* Where a board keeps its slots. */
typedef struct kdp_slot_area {
    const uint8_t *start[KDP_SLOTS]; /* readable as memory, aligned to KDP_FLASH_WORD */
    uint32_t size;                   /* of one slot, a multiple of KDP_FLASH_WORD; erased alone */
} kdp_slot_area;

/*
 * What a board with room for slots provides; kdp_slots.c has weak defaults for one without.
 *
 * Slots are read as memory, also after a power cut in the middle of a flash word. A chip whose ECC
 * turns that into a bus fault (STM32H7) must not offer slots unless its fault handler lets such a read
 * go on.
 *
 * kdp_port_slots         the area, or NULL: no slots
 * kdp_port_slot_erase    set a slot to 0xFF. Returns 0, or KDP_ERROR_FLASH_FAILED
 * kdp_port_slot_program  program one flash word at `offset`. Returns as kdp_port_slot_erase
 *
 * `context` is what kdp_server_init was given.
 */
const kdp_slot_area *kdp_port_slots(void *context);
int kdp_port_slot_erase(void *context, uint32_t slot);
int kdp_port_slot_program(void *context, uint32_t slot, uint32_t offset, const uint8_t word[KDP_FLASH_WORD]);

/* What a slot holds. */
typedef enum kdp_slot_state {
    KDP_SLOT_EMPTY = 0,    /* nothing that was committed */
    KDP_SLOT_SOUND = 1,    /* committed, size and CRC right */
    KDP_SLOT_DAMAGED = 2   /* committed once, not sound any more */
} kdp_slot_state;

/* Largest blob that a slot takes; 0 without slots. */
uint32_t kdp_slot_capacity(void *context);

/* Number of the commit in `slot`, the largest is the newest; 0 when it holds none of this owner. */
uint32_t kdp_slot_order(void *context, uint32_t slot, uint32_t owner);

/* What `slot` (below KDP_SLOTS, on a board that has them) holds. */
kdp_slot_state kdp_slot_check(void *context, uint32_t slot, uint32_t owner);

/*
 * The slot that was committed last, among those not in `tried` (bit mask) that are sound; or
 * KDP_SLOT_COMPILED when there is none. Nothing of it but size, CRC and kernel was looked at.
 */
uint32_t kdp_slot_newest(void *context, uint32_t tried, uint32_t owner);

/* Start of the blob in `slot`, committed or not. */
const uint8_t *kdp_slot_blob(void *context, uint32_t slot);

/*
 * Program `size` bytes (a multiple of KDP_FLASH_WORD) at `offset` of the blob and read them back. Returns 0 or
 * KDP_ERROR_FLASH_FAILED.
 */
int kdp_slot_program(void *context, uint32_t slot, uint32_t offset, const uint8_t *data, size_t size);

/* Commit the blob that is in `slot`: it becomes the newest. Returns 0 or KDP_ERROR_FLASH_FAILED. */
int kdp_slot_commit(void *context, uint32_t slot, uint32_t owner);

#ifdef __cplusplus
}
#endif

#endif
