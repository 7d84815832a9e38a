/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The firmware as a Linux program on a pseudo-terminal.
 *
 * It makes the pty itself, prints "kdp: serving on /dev/pts/N" and ends when its standard input is
 * closed, so that it never outlives the program that started it. Lines on standard input set what
 * a test cannot otherwise reach; they are obeyed before bytes that arrived on the pty later:
 *
 *     ticks N    every plan takes N ticks from now on, whatever it really takes; "ticks real" undoes it
 *     image 0|1  the image check fails or passes
 *     drop N     the next N bytes received are lost as by a full buffer
 *     restart N  the power fails when N more bytes were received; pretended ticks stay
 */
#define _XOPEN_SOURCE 600
#define _DEFAULT_SOURCE

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "kdp_port.h"

static const kdp_port_info_t info = {"native", 1000000000u, 1000000000u, KDP_CLOCK_OS};

static int master = -1;
static uint8_t received[4096];
static size_t received_size, received_next;
static char line[64];
static size_t line_size;
static bool image_ok = true;
static bool fake_clock;
static uint32_t fake_ticks, skew; /* of a plan, and of all plans until now */
static uint32_t reads;            /* of the clock since the last byte: before a plan and after it */
static uint32_t to_drop, dropped;
static bool restarts;
static uint32_t restart_after; /* bytes */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void open_pty(void)
{
    struct termios raw;
    master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        fail("kdp: no pseudo-terminal");
    }
    /* our own handle on the other end keeps the pty alive between two openers */
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (slave < 0 || tcgetattr(slave, &raw) != 0) {
        fail("kdp: pseudo-terminal");
    }
    cfmakeraw(&raw);
    if (tcsetattr(slave, TCSANOW, &raw) != 0) {
        fail("kdp: pseudo-terminal");
    }
    (void)printf("kdp: serving on %s\n", ptsname(master));
    (void)fflush(stdout);
}

static void pretend(uint32_t ticks)
{
    fake_clock = true;
    fake_ticks = ticks;
}

void kdp_port_init(void *context)
{
    (void)context;
    const char *ticks = getenv("KDP_NATIVE_TICKS");
    if (ticks != NULL) {
        pretend((uint32_t)strtoul(ticks, NULL, 10));
    }
    const char *kept = getenv("KDP_NATIVE_PTY");
    if (kept != NULL) {
        master = (int)strtol(kept, NULL, 10); /* after a reboot: the same pty, as a board keeps its serial port */
    } else {
        open_pty();
    }
}

const kdp_port_info_t *kdp_port_info(void *context)
{
    (void)context;
    return &info;
}

static void obey(const char *text)
{
    if (strcmp(text, "ticks real") == 0) {
        fake_clock = false;
        unsetenv("KDP_NATIVE_TICKS");
    } else if (strncmp(text, "ticks ", 6) == 0) {
        pretend((uint32_t)strtoul(text + 6, NULL, 10));
        setenv("KDP_NATIVE_TICKS", text + 6, 1); /* this computer's speed is none of the device's */
    } else if (strncmp(text, "image ", 6) == 0) {
        image_ok = text[6] == '1';
    } else if (strncmp(text, "drop ", 5) == 0) {
        to_drop = (uint32_t)strtoul(text + 5, NULL, 10);
    } else if (strncmp(text, "restart ", 8) == 0) {
        restarts = true;
        restart_after = (uint32_t)strtoul(text + 8, NULL, 10);
    } else {
        (void)fprintf(stderr, "kdp: unknown line '%s'\n", text);
    }
}

static void read_line_bytes(void)
{
    char bytes[64];
    ssize_t size = read(STDIN_FILENO, bytes, sizeof bytes);
    if (size <= 0) {
        exit(0); /* the parent is gone */
    }
    for (ssize_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            line[line_size] = 0;
            line_size = 0;
            obey(line);
        } else if (line_size < sizeof line - 1) {
            line[line_size] = bytes[i];
            line_size++;
        }
    }
}

/* Wait for bytes at most `milliseconds`; -1 is for ever. */
static void wait_for_bytes(int milliseconds)
{
    struct pollfd from[2] = {{STDIN_FILENO, POLLIN, 0}, {master, POLLIN, 0}};
    if (poll(from, 2, milliseconds) <= 0) {
        return;
    }
    if (from[0].revents != 0) {
        read_line_bytes(); /* before the pty: see the top */
        return;
    }
    ssize_t size = read(master, received, sizeof received);
    received_size = size > 0 ? (size_t)size : 0;
    received_next = 0;
}

bool kdp_port_read(void *context, uint8_t *next)
{
    (void)context;
    reads = 0;
    if (received_next == received_size) {
        wait_for_bytes(0);
    }
    if (restarts && restart_after == 0) {
        kdp_port_reboot(context);
    }
    while (received_next < received_size) {
        uint8_t byte = received[received_next];
        received_next++;
        if (restarts && restart_after > 0) {
            restart_after--;
        }
        if (to_drop == 0) {
            *next = byte;
            return true;
        }
        to_drop--;
        dropped++;
    }
    return false;
}

bool kdp_port_write(void *context, const uint8_t *data, size_t size)
{
    (void)context;
    while (size > 0) {
        ssize_t sent = write(master, data, size);
        if (sent <= 0) {
            fail("kdp: pseudo-terminal");
        }
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

void kdp_port_idle(void *context, bool timed)
{
    (void)context;
    if (received_next == received_size) {
        wait_for_bytes(timed ? 1 : -1);
    }
}

void kdp_port_actuate(void *context, const float *values, uint32_t count)
{
    (void)context;
    (void)values;
    (void)count;
}

void kdp_port_keep_latch(void *context, bool latched)
{
    (void)context;
    if (latched != kdp_port_latch_kept(context)) {
        setenv("KDP_NATIVE_LATCH", latched ? "1" : "0", 1); /* survives kdp_port_reboot, as RAM does */
    }
}

bool kdp_port_latch_kept(void *context)
{
    (void)context;
    const char *kept = getenv("KDP_NATIVE_LATCH");
    return kept != NULL && kept[0] == '1';
}

uint32_t kdp_port_now(void *context)
{
    (void)context;
    struct timespec now;
    static uint32_t real; /* stands still while a plan is made, if its time is pretended */
    reads++;
    if (!fake_clock || reads == 1) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        real = (uint32_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
    } else if (reads == 2) {
        skew += fake_ticks;
    }
    return real + skew;
}

void kdp_port_reboot(void *context)
{
    (void)context;
    char name[] = "kdp_native";
    char *const arguments[] = {name, NULL};
    char number[16];
    (void)snprintf(number, sizeof number, "%d", master);
    setenv("KDP_NATIVE_PTY", number, 1);
    execv("/proc/self/exe", arguments);
    fail("kdp: reboot");
}

void kdp_port_watchdog_start(void *context)
{
    (void)context;
}
void kdp_port_watchdog_feed(void *context)
{
    (void)context;
}

bool kdp_port_watchdog_running(void *context)
{
    (void)context;
    return false;
}

bool kdp_port_image_ok(void *context)
{
    (void)context;
    return image_ok;
}

uint32_t kdp_port_faults(void *context)
{
    (void)context;
    return 0;
}

uint32_t kdp_port_receive_overruns(void *context)
{
    (void)context;
    return 0;
}

uint32_t kdp_port_receive_drops(void *context)
{
    (void)context;
    return dropped;
}

uint32_t kdp_port_stack_size(void *context)
{
    (void)context;
    return 0;
}

uint32_t kdp_port_stack_high_water(void *context)
{
    (void)context;
    return 0;
}
