/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * What the RP2350's boot ROM looks for in the first 4 KiB of flash (RP2350 datasheet, 5.9.5: minimum Arm and
 * RISC-V IMAGE_DEF): a block of one item, which says for which cores the image is. One for the Arm cores, secure,
 * begins with its vector table at the start of flash; one for the RISC-V cores is entered there, and the ROM
 * restarts the chip with these cores when it finds it. No second stage is needed: the ROM itself finds the
 * fastest read mode that the flash knows, and its divider of 3 makes 50 MHz of a core clock of 150.
 */
#include <stdint.h>

enum { IMAGE_TYPE = 0x42, EXECUTABLE = 1, SECURE = 2 << 4, RISCV = 1 << 8, RP2350 = 1 << 12, LAST = 0xFF };

#ifdef __riscv
#define CORES RISCV
#else
#define CORES SECURE /* and 0 << 8: Arm */
#endif

__attribute__((section(".boot_block"), used)) const uint32_t rp2350_image_def[5] = {
    0xFFFFDED3u,                                                              /* a block begins */
    IMAGE_TYPE | (1u << 8) | ((uint32_t)(EXECUTABLE | CORES | RP2350) << 16), /* an item of one word */
    LAST | (1u << 8),                                                         /* words of items before this one */
    0,                                                                        /* the next block: this one */
    0xAB123579u,                                                              /* a block ends */
};
