/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_server.h"

#include <string.h>

#include "kdp_bytes.h"
#include "kdp_port.h"

#ifndef KDP_VERSION
#define KDP_VERSION "0"
#endif

enum {
    HELLO_SELFTEST_PASSED = 1,
    HELLO_WATCHDOG = 2,
    HELLO_FAULTED = 4,
    HELLO_AHEAD = 128 /* the others are kdp_push.h's */
};

int kdp_server_init(kdp_server *server, const kdp_model *model, void *memory, size_t size, void *context)
{
    memset(server, 0, sizeof *server);
    server->engine.memory = memory;
    server->engine.memory_size = size;
    server->engine.bounds = model;
    server->engine.context = context;
    server->push.compiled = model;
    server->push.context = context;
    kdp_receiver_init(&server->receiver);
    int status = kdp_push_boot(&server->push, &server->engine);
    if (status == 0 && kdp_port_latch_kept(context)) {
        kdp_failsafe_latch(&server->engine.policy.failsafe);
    }
    return status;
}

/* The latch outlives a restart. */
static void keep_latch(const kdp_server *server)
{
    kdp_port_keep_latch(server->engine.context, server->engine.policy.failsafe.state == KDP_LATCHED);
}

/* An action that was decided: the actuators get it, whatever becomes of a reply. */
static void actuate(const kdp_server *server, const kdp_action *action)
{
    keep_latch(server);
    kdp_port_actuate(server->engine.context, action->values, server->engine.model->act_dim);
}

/* ---- one function per request: payload in, reply payload at `to`; the end of it, or NULL with its error set */

typedef struct {
    const uint8_t *payload;
    size_t size;
    uint8_t *to;
    int error; /* why it was refused */
} request_t;

static uint8_t *refuse(request_t *request, int error)
{
    request->error = error;
    return NULL;
}

static uint8_t *put_text(uint8_t *to, const char *text)
{
    size_t size = strlen(text);
    return kdp_put_bytes(kdp_put_u8(to, (uint32_t)size), text, size);
}

static uint8_t *hello(kdp_server *server, request_t *request)
{
    const kdp_model *model = server->engine.model;
    const kdp_port_info_t *port = kdp_port_info(server->engine.context);
    uint32_t flags = (server->engine.policy.selftest.passed ? HELLO_SELFTEST_PASSED : 0u) |
                     (kdp_port_watchdog_running(server->engine.context) ? HELLO_WATCHDOG : 0u) |
                     (kdp_port_faults(server->engine.context) > 0 ? HELLO_FAULTED : 0u) |
                     (model->ahead != 0 ? HELLO_AHEAD : 0u) | kdp_push_flags(&server->push);
    uint8_t *to = kdp_put_u8(request->to, KDP_PROTOCOL);
    to = kdp_put_u8(to, server->engine.policy.failsafe.state);
    to = kdp_put_u8(to, flags);
    to = kdp_put_u8(to, port->clock_source);
    to = kdp_put_u16(to, model->obs_dim);
    to = kdp_put_u8(to, model->act_dim);
    to = kdp_put_u8(to, model->horizon);
    to = kdp_put_u8(to, model->chunk);
    to = kdp_put_u8(to, model->k);
    to = kdp_put_u8(to, model->latent_dim);
    to = kdp_put_u8(to, model->critic_steps);
    to = kdp_put_u32(to, model->rate_millihertz);
    to = kdp_put_u32(to, model->deadline_us);
    to = kdp_put_u32(to, port->clock_hz);
    to = kdp_put_u32(to, port->tick_hz);
    to = kdp_put_bytes(to, model->sha256, 32);
    to = kdp_put_bytes(to, model->schema_sha256, 32);
    to = kdp_put_bytes(to, server->push.hash, sizeof server->push.hash);
    to = kdp_put_u32(to, kdp_push_sequence(&server->push));
    to = kdp_put_u8(to, KDP_KERNEL);
    return put_text(put_text(to, port->board), KDP_VERSION);
}

static uint8_t *put_floats(uint8_t *to, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to = kdp_put_f32(to, values[i]);
    }
    return to;
}

/*
 * Of RESET and ARM: the state, the pace, the steps that the device played by its own clock until now, and the
 * action it played last.
 */
static uint8_t *put_state(kdp_server *server, uint8_t *to, uint16_t own)
{
    server->engine.kept_request_size = 0;
    keep_latch(server);
    to = kdp_put_u8(to, server->engine.policy.failsafe.state);
    to = kdp_put_u8(to, server->engine.policy.failsafe.pace);
    return put_floats(kdp_put_u16(to, own), server->engine.policy.failsafe.previous, server->engine.model->act_dim);
}

static uint8_t *reset(kdp_server *server, request_t *request)
{
    kdp_failsafe *failsafe = &server->engine.policy.failsafe;
    uint8_t pace = request->payload[4];
    if (pace != KDP_LOCKSTEP && pace != KDP_REAL) {
        return refuse(request, KDP_ERROR_BAD_LENGTH);
    }
    uint16_t own = kdp_failsafe_take_own(failsafe);
    kdp_port_watchdog_start(server->engine.context);
    (void)kdp_policy_reset(&server->engine.policy, kdp_get_u32(request->payload),
                           pace == KDP_REAL ? KDP_REAL : KDP_LOCKSTEP);
    return put_state(server, request->to, own);
}

static uint8_t *arm(kdp_server *server, request_t *request)
{
    uint16_t own = kdp_failsafe_take_own(&server->engine.policy.failsafe);
    (void)kdp_policy_arm(&server->engine.policy);
    return put_state(server, request->to, own);
}

static void read_observation(kdp_server *server, const uint8_t *from)
{
    for (size_t i = 0; i < server->engine.model->obs_dim; i++) {
        server->engine.observation[i] = kdp_get_f32(from + 4 * i);
    }
}

static uint8_t *put_action(const kdp_server *server, uint8_t *to, const kdp_action *action)
{
    to = kdp_put_u32(to, action->step);
    to = kdp_put_u8(to, action->state);
    to = kdp_put_u8(to, action->flags);
    to = kdp_put_u8(to, action->candidate);
    to = kdp_put_u8(to, action->age);
    to = kdp_put_u32(to, action->digest);
    to = put_floats(to, action->values, server->engine.model->act_dim);
    return kdp_put_u16(kdp_put_u32(to, action->ticks), action->own);
}

/* STEP and TICK: the only requests that can move an actuator. */
static uint8_t *control_step(kdp_server *server, request_t *request, bool observed)
{
    uint32_t step = kdp_get_u32(request->payload);
    kdp_action action;
    if (observed) {
        read_observation(server, request->payload + 4);
    }
    int status =
        kdp_policy_step(&server->engine.policy, step, observed ? server->engine.observation : NULL, &action);
    if (status != 0) {
        return refuse(request, status);
    }
    actuate(server, &action);
    return put_action(server, request->to, &action);
}

static uint8_t *selftest(kdp_server *server, request_t *request)
{
    const kdp_selftest *result = &server->engine.policy.selftest;
    kdp_engine_selftest(&server->engine);
    uint8_t *to = kdp_put_u8(request->to, result->passed);
    to = kdp_put_u16(to, result->vectors);
    return kdp_put_u16(to, result->first_failed);
}

static uint8_t *telemetry(kdp_server *server, request_t *request)
{
    const kdp_counters *count = &server->engine.policy.failsafe.counters;
    const uint32_t values[] = {
        count->plans,
        count->replayed,
        count->safe,
        count->latches,
        count->bad_observations,
        count->overruns,
        count->missed,
        count->stale,
        count->limited,
        count->saturated,
        count->own,
        server->frames_received,
        server->frames_bad,
        kdp_port_receive_overruns(server->engine.context),
        kdp_port_receive_drops(server->engine.context),
        kdp_port_stack_size(server->engine.context),
        kdp_port_stack_high_water(server->engine.context),
        count->longest_plan,
        server->replies_cut,
    };
    uint8_t *to = request->to;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        to = kdp_put_u32(to, values[i]);
    }
    return to;
}

static uint8_t *reboot(kdp_server *server, request_t *request)
{
    server->reboot = true;
    return request->to;
}

static uint8_t *plan(kdp_server *server, request_t *request)
{
    kdp_planner *planner = &server->engine.policy.planner;
    kdp_plan *spare = kdp_failsafe_spare(&server->engine.policy.failsafe);
    uint8_t candidate = request->payload[8];
    if (candidate >= server->engine.model->k) {
        return refuse(request, KDP_ERROR_BAD_LENGTH);
    }
    read_observation(server, request->payload + 9);
    uint32_t start = kdp_port_now(server->engine.context);
    int status = kdp_planner_plan(planner, server->engine.observation, kdp_get_u32(request->payload),
                                  kdp_get_u32(request->payload + 4), spare);
    uint32_t ticks = kdp_port_now(server->engine.context) - start;
    if (status != 0) {
        return refuse(request, KDP_ERROR_SELFTEST_FAILED);
    }
    size_t window = kdp_model_window(server->engine.model);
    uint8_t *to = kdp_put_u32(kdp_put_u8(request->to, spare->best), ticks);
    to = kdp_put_bytes(to, planner->scores, server->engine.model->k);
    return kdp_put_bytes(to, planner->windows + candidate * window, window);
}

/* ---- dispatch */

/* Bytes that the payload of a request must have; KDP_ECHO and unknown types take any number. */
static size_t payload_size(const kdp_model *model, uint8_t type, size_t found)
{
    switch (type) {
    case KDP_TICK:
        return 4;
    case KDP_RESET:
        return 5;
    case KDP_STEP:
        return 4u + 4u * model->obs_dim;
    case KDP_PLAN:
        return 9u + 4u * model->obs_dim;
    case KDP_HELLO:
    case KDP_SELFTEST:
    case KDP_TELEMETRY:
    case KDP_ARM:
    case KDP_REBOOT:
        return 0;
    default:
        return found;
    }
}

static uint8_t *push(kdp_server *server, uint8_t type, request_t *request)
{
    int size = kdp_push_answer(&server->push, &server->engine, type, request->payload, request->size, request->to);
    return size >= 0 ? request->to + size : refuse(request, size);
}

/* Direct calls, no table of pointers: the worst-case stack can be computed from the call graph. */
static uint8_t *dispatch(kdp_server *server, uint8_t type, request_t *request)
{
    if (request->size != payload_size(server->engine.model, type, request->size)) {
        return refuse(request, KDP_ERROR_BAD_LENGTH);
    }
    switch (type) {
    case KDP_HELLO:
        return hello(server, request);
    case KDP_RESET:
        return reset(server, request);
    case KDP_STEP:
        return control_step(server, request, true);
    case KDP_TICK:
        return control_step(server, request, false);
    case KDP_SELFTEST:
        return selftest(server, request);
    case KDP_TELEMETRY:
        return telemetry(server, request);
    case KDP_ARM:
        return arm(server, request);
    case KDP_REBOOT:
        return reboot(server, request);
    case KDP_ECHO:
        return kdp_put_bytes(request->to, request->payload, request->size);
    case KDP_PLAN:
        return plan(server, request);
    case KDP_PUSH_BEGIN:
    case KDP_PUSH_DATA:
    case KDP_PUSH_COMMIT:
    case KDP_SLOT_INFO:
        return push(server, type, request);
    default:
        return refuse(request, KDP_ERROR_UNKNOWN_TYPE);
    }
}

static bool is_repeated(const kdp_server *server, const uint8_t *request, size_t size)
{
    return size == server->engine.kept_request_size && memcmp(request, server->engine.kept_request, size) == 0;
}

static void keep(kdp_server *server, const uint8_t *request, size_t request_size, size_t reply_size)
{
    memcpy(server->engine.kept_request, request, request_size);
    memcpy(server->engine.kept_reply, server->reply, reply_size);
    server->engine.kept_request_size = (uint16_t)request_size;
    server->engine.kept_reply_size = (uint16_t)reply_size;
}

size_t kdp_server_answer(kdp_server *server, const uint8_t *body, size_t size)
{
    uint8_t type = body[0];
    uint8_t *reply = server->reply;
    if (is_repeated(server, body, size)) {
        memcpy(reply, server->engine.kept_reply, server->engine.kept_reply_size);
        return server->engine.kept_reply_size;
    }
    request_t request = {body + KDP_FRAME_HEADER, size - KDP_FRAME_HEADER, reply + KDP_FRAME_HEADER, 0};
    const uint8_t *end = dispatch(server, type, &request);
    memcpy(reply + 1, body + 1, 2); /* seq */
    if (end == NULL) {
        reply[0] = KDP_ERROR;
        end = kdp_put_u8(kdp_put_u8(request.to, (uint32_t)-request.error), type);
    } else {
        reply[0] = type | KDP_REPLY;
        if (type == KDP_STEP || type == KDP_TICK) {
            keep(server, body, KDP_FRAME_HEADER + request.size, (size_t)(end - reply));
        }
    }
    return (size_t)(end - reply);
}

/* ---- bytes */

void kdp_server_prepare(kdp_server *server)
{
    (void)kdp_policy_prepare(&server->engine.policy, server->engine.observation);
}

void kdp_server_take(kdp_server *server, uint8_t byte)
{
    int size = kdp_receiver_push(&server->receiver, byte);
    if (size == 0) {
        return;
    }
    if (size < 0) {
        server->frames_bad++;
        return;
    }
    server->frames_received++;
    size_t reply = kdp_server_answer(server, server->receiver.frame, (size_t)size);
    if (!kdp_port_write(server->engine.context, server->wire, kdp_frame_encode(server->reply, reply, server->wire))) {
        server->replies_cut++;
    }
    kdp_server_prepare(server);
    if (server->reboot) {
        server->reboot = false;
        kdp_port_reboot(server->engine.context);
    }
}

void kdp_server_watch(kdp_server *server)
{
    kdp_action action;
    if (kdp_policy_watch(&server->engine.policy, &action)) {
        actuate(server, &action);
    }
}

void kdp_server_poll(kdp_server *server)
{
    void *context = server->engine.context;
    uint8_t byte;
    if (kdp_port_read(context, &byte)) {
        kdp_server_take(server, byte);
    } else {
        bool timed = server->engine.policy.failsafe.pace == KDP_REAL || kdp_port_watchdog_running(context);
        kdp_port_idle(context, timed);
    }
    /* after every byte: a host that babbles is as silent as one that says nothing */
    kdp_server_watch(server);
    kdp_port_watchdog_feed(context);
}
