/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_slots.h"

#include <stdbool.h>
#include <string.h>

#include "kdp_bytes.h"
#include "kdp_frame.h"

/* Commit record: these four words, their CRC-32; the rest stays erased. */
#define COMMIT_MAGIC 0x434D4F44u
enum { COMMIT_ORDER = 4, COMMIT_BLOB_CRC = 8, COMMIT_OWNER = 12, COMMIT_CRC = 16 };

KDP_WEAK const kdp_slot_area *kdp_port_slots(void *context)
{
    (void)context;
    return NULL;
}

KDP_WEAK int kdp_port_slot_erase(void *context, uint32_t slot)
{
    (void)context;
    (void)slot;
    return KDP_ERROR_FLASH_FAILED;
}

KDP_WEAK int kdp_port_slot_program(void *context, uint32_t slot, uint32_t offset,
                                   const uint8_t word[KDP_FLASH_WORD])
{
    (void)context;
    (void)slot;
    (void)offset;
    (void)word;
    return KDP_ERROR_FLASH_FAILED;
}

uint32_t kdp_slot_capacity(void *context)
{
    const kdp_slot_area *area = kdp_port_slots(context);
    return area == NULL ? 0 : area->size - KDP_FLASH_WORD;
}

const uint8_t *kdp_slot_blob(void *context, uint32_t slot)
{
    return kdp_port_slots(context)->start[slot] + KDP_FLASH_WORD;
}

uint32_t kdp_slot_order(void *context, uint32_t slot, uint32_t owner)
{
    const kdp_slot_area *area = kdp_port_slots(context);
    if (area == NULL || slot >= KDP_SLOTS) {
        return 0;
    }
    const uint8_t *record = area->start[slot];
    if (kdp_get_u32(record) != COMMIT_MAGIC || kdp_get_u32(record + COMMIT_OWNER) != owner ||
        kdp_get_u32(record + COMMIT_CRC) != kdp_crc32(0, record, COMMIT_CRC)) {
        return 0;
    }
    return kdp_get_u32(record + COMMIT_ORDER);
}

kdp_slot_state kdp_slot_check(void *context, uint32_t slot, uint32_t owner)
{
    if (kdp_slot_order(context, slot, owner) == 0) {
        return KDP_SLOT_EMPTY;
    }
    const uint8_t *data = kdp_slot_blob(context, slot);
    uint32_t committed = kdp_get_u32(kdp_port_slots(context)->start[slot] + COMMIT_BLOB_CRC);
    uint32_t size = kdp_blob_size(data);
    bool sound = size <= kdp_slot_capacity(context) && kdp_blob_crc(data) == committed && kdp_blob_check(data, size) == 0;
    return sound ? KDP_SLOT_SOUND : KDP_SLOT_DAMAGED;
}

uint32_t kdp_slot_newest(void *context, uint32_t tried, uint32_t owner)
{
    uint32_t best = KDP_SLOT_COMPILED, best_order = 0;
    for (uint32_t slot = 0; slot < KDP_SLOTS; slot++) {
        uint32_t order = kdp_slot_order(context, slot, owner);
        if ((tried & (1u << slot)) == 0 && order > best_order && kdp_slot_check(context, slot, owner) == KDP_SLOT_SOUND) {
            best = slot;
            best_order = order;
        }
    }
    return best;
}

static int program(void *context, uint32_t slot, uint32_t offset, const uint8_t *data, size_t size)
{
    const uint8_t *flash = kdp_port_slots(context)->start[slot];
    for (size_t i = 0; i < size; i += KDP_FLASH_WORD) {
        if (kdp_port_slot_program(context, slot, offset + (uint32_t)i, data + i) != 0) {
            return KDP_ERROR_FLASH_FAILED;
        }
    }
    return memcmp(flash + offset, data, size) == 0 ? 0 : KDP_ERROR_FLASH_FAILED;
}

int kdp_slot_program(void *context, uint32_t slot, uint32_t offset, const uint8_t *data, size_t size)
{
    uint32_t capacity = kdp_slot_capacity(context);
    if (slot >= KDP_SLOTS || offset > capacity || size > capacity - offset ||
        (offset | size) % KDP_FLASH_WORD != 0) {
        return KDP_ERROR_FLASH_FAILED;
    }
    return program(context, slot, offset + KDP_FLASH_WORD, data, size);
}

int kdp_slot_commit(void *context, uint32_t slot, uint32_t owner)
{
    uint8_t record[KDP_FLASH_WORD];
    uint32_t newest = 0;
    for (uint32_t other = 0; other < KDP_SLOTS; other++) {
        uint32_t order = kdp_slot_order(context, other, owner);
        newest = order > newest ? order : newest;
    }
    if (slot >= KDP_SLOTS || kdp_slot_capacity(context) == 0 || newest == UINT32_MAX) {
        return KDP_ERROR_FLASH_FAILED;
    }
    memset(record, 0xFF, sizeof record);
    kdp_put_u32(record, COMMIT_MAGIC);
    kdp_put_u32(record + COMMIT_ORDER, newest + 1);
    kdp_put_u32(record + COMMIT_BLOB_CRC, kdp_blob_crc(kdp_slot_blob(context, slot)));
    kdp_put_u32(record + COMMIT_OWNER, owner);
    kdp_put_u32(record + COMMIT_CRC, kdp_crc32(0, record, COMMIT_CRC));
    return program(context, slot, 0, record, sizeof record);
}
