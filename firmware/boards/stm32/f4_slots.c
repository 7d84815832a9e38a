/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Model slots in the upper half of the flash: sectors 8 and 9, 10 and 11, 128 KiB each (RM0090, 3.5 and
 * 3.8). Programming is by words, which needs a supply of 2.7 V or more. The core stands still while the
 * flash is busy, up to 4 s for a sector (DS8626, table 50): only ever in IDLE.
 */
#include "board.h"
#include "kdp_bytes.h"
#include "kdp_cortex_m.h"
#include "kdp_slots.h"
#include "stm32.h"

#define FLASH 0x40023C00u
#define FLASH_ACR KDP_REGISTER(FLASH)
#define FLASH_KEYR KDP_REGISTER(FLASH + 0x04u)
#define FLASH_SR_AT (FLASH + 0x0Cu)
#define FLASH_SR KDP_REGISTER(FLASH_SR_AT)
#define FLASH_CR KDP_REGISTER(FLASH + 0x10u)

#define SR_ERRORS 0xF2u /* OPERR, WRPERR, PGAERR, PGPERR, PGSERR; cleared by writing them */
#define SR_BUSY (1u << 16)
#define CR_PROGRAM (1u << 0)
#define CR_SECTOR_ERASE (1u << 1)
#define CR_BY_WORDS (2u << 8)
#define CR_START (1u << 16)
#define CR_LOCK (1u << 31)
#define ACR_DATA_CACHE (1u << 10)
#define ACR_DATA_CACHE_RESET (1u << 12)

enum { FIRST_SECTOR = 8, SLOT_SECTORS = 2 };
#define SECTOR_BYTES 0x20000u
#define SLOTS_START 0x08080000u
#define PATIENCE 5000000u /* microseconds: longer than the datasheet lets any operation take */

static kdp_slot_area area;

static uint32_t slot_start(uint32_t slot)
{
    return SLOTS_START + slot * SLOT_SECTORS * SECTOR_BYTES;
}

const kdp_slot_area *kdp_port_slots(void *context)
{
    (void)context;
    area.start[0] = (const uint8_t *)(uintptr_t)slot_start(0);
    area.start[1] = (const uint8_t *)(uintptr_t)slot_start(1);
    area.size = SLOT_SECTORS * SECTOR_BYTES;
    return &area;
}

/* Until the operation is over; 0 when it went well. */
static int finish(void)
{
    bool ended = kdp_wait(FLASH_SR_AT, SR_BUSY, 0, PATIENCE);
    return ended && (FLASH_SR & SR_ERRORS) == 0 ? 0 : KDP_ERROR_FLASH_FAILED;
}

static void unlock(void)
{
    if ((FLASH_CR & CR_LOCK) != 0) {
        FLASH_KEYR = 0x45670123u;
        FLASH_KEYR = 0xCDEF89ABu;
    }
    FLASH_SR = SR_ERRORS;
}

/* The data cache does not notice that flash changed (RM0090, 3.5.5). */
static void lock(void)
{
    FLASH_CR = CR_LOCK;
    if ((FLASH_ACR & ACR_DATA_CACHE) != 0) {
        FLASH_ACR &= ~ACR_DATA_CACHE;
        FLASH_ACR |= ACR_DATA_CACHE_RESET;
        FLASH_ACR &= ~ACR_DATA_CACHE_RESET;
        FLASH_ACR |= ACR_DATA_CACHE;
    }
}

int kdp_port_slot_erase(void *context, uint32_t slot)
{
    (void)context;
    int status = 0;
    stm32_watchdog_patient(true);
    unlock();
    for (uint32_t i = 0; i < SLOT_SECTORS && status == 0; i++) {
        uint32_t sector = FIRST_SECTOR + slot * SLOT_SECTORS + i;
        FLASH_CR = CR_SECTOR_ERASE | (sector << 3) | CR_BY_WORDS;
        FLASH_CR |= CR_START;
        status = finish();
    }
    lock();
    stm32_watchdog_patient(false);
    return status;
}

int kdp_port_slot_program(void *context, uint32_t slot, uint32_t offset,
                          const uint8_t word[KDP_FLASH_WORD])
{
    (void)context;
    uint32_t at = slot_start(slot) + offset;
    int status = 0;
    unlock();
    FLASH_CR = CR_PROGRAM | CR_BY_WORDS;
    for (uint32_t i = 0; i < KDP_FLASH_WORD && status == 0; i += 4) {
        KDP_REGISTER(at + i) = kdp_get_u32(word + i);
        status = finish();
    }
    lock();
    return status;
}
