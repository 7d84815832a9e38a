/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * What the boot ROM of the i.MX RT1062 reads at the start of flash (IMXRT1060RM, chapter System Boot): how to read the
 * flash, and 4 KiB behind it where the program is. The vector table follows after another 4 KiB.
 */
    .section .boot, "a"

/* FlexSPI NOR configuration block: serial NOR flash W25Q64JV, 8 MiB, read on four wires at 100 MHz */
flash_configuration:
    .ascii "FCFB"
    .word 0x56010000            /* version 1.0.0 */
    .word 0
    .byte 1, 3, 3, 0            /* sample with the clock looped back from DQS; chip select held 3 cycles, set up 3 */
    .org flash_configuration + 0x44
    .byte 1, 4, 6, 0            /* serial NOR, four wires, 100 MHz, the one sequence below */
    .org flash_configuration + 0x50
    .word 0x800000              /* bytes of the flash at A1 */
    .org flash_configuration + 0x80
    /* read: FlexSPI instructions of 16 bits, operation << 10 | wires << 8 | operand, wires 0: one, 2: four */
    .hword 0x01 << 10 | 0 << 8 | 0xEB /* command: fast read quad I/O */
    .hword 0x02 << 10 | 2 << 8 | 24   /* address of 24 bits */
    .hword 0x07 << 10 | 2 << 8 | 0xFF /* mode bits: not to stay in this command */
    .hword 0x0C << 10 | 2 << 8 | 4    /* four dummy cycles */
    .hword 0x09 << 10 | 2 << 8 | 1    /* read */
    .hword 0                          /* stop */
    .org flash_configuration + 0x1C0
    .word 256                   /* page */
    .word 4096                  /* sector */
    .word 1                     /* commands at 30 MHz */

/* image vector table */
    .org flash_configuration + 0x1000
image_vector_table:
    .word 0x432000D1            /* tag D1, 32 bytes, version 4.3 */
    .word kdp_reset_handler     /* where to start */
    .word 0
    .word 0                     /* no device configuration */
    .word boot_data
    .word image_vector_table
    .word 0                     /* no signature */
    .word 0
boot_data:
    .word kdp_image_start
    .word kdp_image_bytes
    .word 0                     /* no plug-in */

    .org flash_configuration + 0x2000
