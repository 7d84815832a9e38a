/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Flash for model slots in a file, as strict as any chip: an erased bit is 1, programming clears
 * bits, and a flash word can be programmed once after an erase.
 *
 *     KDP_NATIVE_FLASH  the file; without it the slots last as long as the process and its reboots
 *     KDP_NATIVE_CUT    N: the power fails in the middle of the N-th flash operation (1 is the first),
 *                       which leaves its first half done, and the process ends with exit code 99
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kdp_slots.h"

enum { SLOT_SIZE = 256 * 1024, SECTOR_SIZE = 64 * 1024, CUT_EXIT = 99 };

static uint8_t *flash;
static kdp_slot_area area;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* A file that a reboot (exec) finds again by its descriptor. */
static const char *anonymous_file(void)
{
    static char name[32];
    int file = memfd_create("kdp-flash", 0);
    if (file < 0) {
        fail("kdp: memory for the flash");
    }
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    setenv("KDP_NATIVE_FLASH", name, 1);
    return name;
}

static void open_flash(void)
{
    const char *name = getenv("KDP_NATIVE_FLASH");
    int file = open(name != NULL ? name : anonymous_file(), O_RDWR | O_CREAT, 0666);
    size_t size = KDP_SLOTS * (size_t)SLOT_SIZE;
    if (file < 0) {
        fail("kdp: flash file");
    }
    off_t found = lseek(file, 0, SEEK_END);
    if (found < 0 || (found < (off_t)size && ftruncate(file, (off_t)size) != 0)) {
        fail("kdp: flash file");
    }
    flash = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (flash == MAP_FAILED) {
        fail("kdp: flash file");
    }
    if (found < (off_t)size) {
        memset(flash, 0xFF, size); /* a new chip */
    }
    close(file);
}

const kdp_slot_area *kdp_port_slots(void *context)
{
    (void)context;
    if (flash == NULL) {
        open_flash();
        area.start[0] = flash;
        area.start[1] = flash + SLOT_SIZE;
        area.size = SLOT_SIZE;
    }
    return &area;
}

/* One flash operation, in which the power may fail. */
static void operate(uint8_t *to, const uint8_t *after, size_t size)
{
    static long operations;
    const char *cut = getenv("KDP_NATIVE_CUT");
    operations++;
    if (cut != NULL && atol(cut) == operations) {
        memcpy(to, after, size / 2);
        _exit(CUT_EXIT);
    }
    memcpy(to, after, size);
}

int kdp_port_slot_erase(void *context, uint32_t slot)
{
    (void)context;
    static uint8_t erased[SECTOR_SIZE];
    memset(erased, 0xFF, sizeof erased);
    for (size_t at = 0; at < SLOT_SIZE; at += SECTOR_SIZE) {
        operate(flash + (size_t)slot * SLOT_SIZE + at, erased, SECTOR_SIZE);
    }
    return 0;
}

int kdp_port_slot_program(void *context, uint32_t slot, uint32_t offset,
                          const uint8_t word[KDP_FLASH_WORD])
{
    (void)context;
    uint8_t *to = flash + (size_t)slot * SLOT_SIZE + offset;
    for (size_t i = 0; i < KDP_FLASH_WORD; i++) {
        if (to[i] != 0xFF) {
            return KDP_ERROR_FLASH_FAILED; /* an STM32H7 refuses it: the word's ECC would not fit any more */
        }
    }
    operate(to, word, KDP_FLASH_WORD);
    return 0;
}
