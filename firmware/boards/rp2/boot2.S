/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Second-stage boot loader of the RP2040, own code: the boot ROM copies these 256 bytes to RAM,
 * checks the CRC in the last four (`kdp-edge build` fills it in) and calls them. They map the flash
 * with the one read command that every serial flash knows (03h, 24-bit address) and start the image
 * behind them. Register names: RP2040 datasheet, 4.10.13.
 */
    .syntax unified
    .cpu cortex-m0plus
    .thumb

    .equ SSI, 0x18000000
    .equ CTRLR0, 0x00
    .equ CTRLR1, 0x04
    .equ SSIENR, 0x08
    .equ BAUDR, 0x14
    .equ SPI_CTRLR0, 0xF4
    .equ VTOR, 0xE000ED08
    .equ IMAGE, 0x10000100

    .section .boot, "ax"
    .global kdp_boot2
kdp_boot2:
    ldr r0, =SSI
    movs r1, #0
    str r1, [r0, #SSIENR]           /* off while it is set up */
    movs r1, #4                     /* 31 MHz at most: every flash reads 03h at 33 */
    str r1, [r0, #BAUDR]
    ldr r1, =(31 << 16) | (3 << 8)  /* 32-bit frames; transmit mode: EEPROM read */
    str r1, [r0, #CTRLR0]
    movs r1, #0                     /* one frame a read */
    str r1, [r0, #CTRLR1]
    ldr r1, =(0x03 << 24) | (2 << 8) | (6 << 2) /* command 03h, 8-bit command, 24-bit address */
    ldr r2, =SSI + SPI_CTRLR0
    str r1, [r2]
    movs r1, #1
    str r1, [r0, #SSIENR]

    ldr r0, =IMAGE
    ldr r1, =VTOR
    str r0, [r1]
    ldr r1, [r0]
    msr msp, r1
    ldr r1, [r0, #4]
    bx r1
    .ltorg

    .org 252
    .word 0                         /* CRC */
