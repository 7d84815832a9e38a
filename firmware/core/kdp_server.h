/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The request handler of the link protocol (docs/protocol.md): one body in, one body out.
 *
 *     KDP_ALIGNED static uint8_t memory[KDP_MODEL_SERVER_MEMORY];
 *     static kdp_server server;
 *     kdp_server_init(&server, &kdp_model_data, memory, sizeof memory, NULL);
 *     for (;;) kdp_server_poll(&server);
 */
#ifndef KDP_SERVER_H
#define KDP_SERVER_H

#include "kdp_engine.h"
#include "kdp_frame.h"
#include "kdp_push.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KDP_PROTOCOL 3u

enum {
    KDP_HELLO = 0x01,
    KDP_RESET = 0x02,
    KDP_STEP = 0x03,
    KDP_TICK = 0x04,
    KDP_SELFTEST = 0x05,
    KDP_TELEMETRY = 0x06,
    KDP_ARM = 0x07,
    KDP_REBOOT = 0x08,
    KDP_ECHO = 0x09,
    KDP_PLAN = 0x0A,
    KDP_REPLY = 0x80, /* bit of a reply's type */
    KDP_ERROR = 0xFF  /* type of an error reply */
};

typedef struct kdp_server {
    kdp_engine engine;    /* the model in use */
    kdp_push push;        /* models that arrived over the link */
    kdp_receiver receiver;
    uint32_t frames_received, frames_bad;
    uint32_t replies_cut; /* that did not leave whole */
    bool reboot;          /* a REBOOT was answered: restart once the reply is out */
    uint8_t reply[KDP_BODY_MAX];
    uint8_t wire[KDP_WIRE_MAX];
} kdp_server;

/*
 * Prepare a server and run its self-test. The model is `model`, or on a board with slots the newest
 * sound one that was pushed to it (kdp_push.h).
 *
 * memory   KDP_ALIGNED, KDP_MODEL_SERVER_MEMORY bytes, owned by the server from now on
 * context  handed to every function of kdp_port.h
 * Returns 0, or KDP_ERROR_OUT_OF_MEMORY when the memory is too small or not aligned. A failed self-test is no error
 * here: the device answers, says so in HELLO, and refuses control steps.
 */
int kdp_server_init(kdp_server *server, const kdp_model *model, void *memory, size_t size, void *context);

/*
 * Answer one request body (3 to KDP_BODY_MAX bytes, as kdp_receiver_push leaves it).
 * The reply's body is in server->reply; returns its size.
 *
 * The last control step that was carried out is kept: the same bytes again (the host lost the
 * reply) get the same reply and change nothing. RESET and ARM forget it.
 */
size_t kdp_server_answer(kdp_server *server, const uint8_t *request, size_t size);

/* When a reply is out: make the next plan if it is to be made ahead (kdp_failsafe_prepare). */
void kdp_server_prepare(kdp_server *server);

/* Take one byte from the wire; answer through kdp_port_write when it completes a request. */
void kdp_server_take(kdp_server *server, uint8_t byte);

/* The dead man (kdp_failsafe_watch): what it plays goes to the actuators. */
void kdp_server_watch(kdp_server *server);

/* Handle a received byte, or sleep until there may be one; watch the clock. Call it for ever. */
void kdp_server_poll(kdp_server *server);

#ifdef __cplusplus
}
#endif

#endif
