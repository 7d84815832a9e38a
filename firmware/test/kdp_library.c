/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The firmware as a shared library: the same core on a port whose clock and wire are in the
 * caller's hands. The host calls it to compare the C with the reference, byte for byte.
 */
#include <string.h>

#include "kdp_bytes.h"
#include "kdp_latents.h"
#include "kdp_model.h"
#include "kdp_port.h"
#include "kdp_server.h"

static const kdp_port_info_t info = {"library", 1000000u, 1000000u, KDP_CLOCK_OS};

KDP_ALIGNED static uint8_t memory[KDP_MODEL_SERVER_MEMORY];
KDP_ALIGNED static uint8_t scratch[KDP_MODEL_SCRATCH];
static kdp_server server;
static uint32_t plan_ticks, now;
static bool standing; /* the clock stands still */
static bool image_ok = true, latched;
static float actuated[KDP_MODEL_ACT_DIM];
static unsigned watchdog_fed;
static uint32_t faults;
static bool watchdog;
static const uint8_t *arriving;
static size_t arriving_size;
static uint8_t *sent;
static size_t sent_size, sent_room;

/* ---- what the host calls */

int kdp_library_start(void);
void kdp_library_set_ticks(uint32_t ticks);
void kdp_library_set_image(int ok);
void kdp_library_set_port(uint32_t count, int running);
void kdp_library_break_planner(void);
int kdp_library_start_in(size_t offset, size_t size);
unsigned kdp_library_watchdog_fed(void);
void kdp_library_turn(void);
size_t kdp_library_state_size(void);
void kdp_library_save(void *to);
void kdp_library_load(const void *from);
size_t kdp_library_decides(uint8_t *to);
void kdp_library_forget(void);
void kdp_library_set_clock(uint32_t ticks);
void kdp_library_wait(uint32_t ticks);
void kdp_library_actuated(float *values);
size_t kdp_library_answer(const uint8_t *body, size_t size, uint8_t *reply);
size_t kdp_library_receive(const uint8_t *bytes, size_t size, uint8_t *replies, size_t room);
size_t kdp_library_unframe(const uint8_t *bytes, size_t size, uint8_t *bodies, uint32_t *bad);
int kdp_library_run_net(int critic, const int8_t *inputs, size_t count, int8_t *outputs);
int kdp_library_plan_digest(const float *observation, uint32_t episode, uint32_t index, uint32_t *digest);

/* Boot: an IDLE server with counters at 0. Returns as kdp_server_init. */
int kdp_library_start(void)
{
    plan_ticks = 1;
    watchdog_fed = 0;
    return kdp_server_init(&server, &kdp_model_data, memory, sizeof memory, NULL);
}

/* Every plan takes `ticks` microseconds from now on. */
void kdp_library_set_ticks(uint32_t ticks)
{
    plan_ticks = ticks;
}

void kdp_library_set_image(int ok)
{
    image_ok = ok != 0;
}

/* Faults since power-on, and whether there is a watchdog. */
void kdp_library_set_port(uint32_t count, int running)
{
    faults = count;
    watchdog = running != 0;
}

/* From now on no net runs: a workspace that does not fit the model. */
void kdp_library_break_planner(void)
{
    server.engine.policy.planner.scratch_size = 0;
}

/* Boot in a part of the memory. Returns as kdp_server_init. */
int kdp_library_start_in(size_t offset, size_t size)
{
    return kdp_server_init(&server, &kdp_model_data, memory + offset, size, NULL);
}

unsigned kdp_library_watchdog_fed(void)
{
    return watchdog_fed;
}

/* Everything that a device is, so that a search can go on from here more than once. */
typedef struct {
    kdp_server server;
    uint8_t memory[KDP_MODEL_SERVER_MEMORY];
    uint32_t now;
    bool latched;
} state;

size_t kdp_library_state_size(void)
{
    return sizeof(state);
}

void kdp_library_save(void *to)
{
    state *saved = to;
    saved->server = server;
    memcpy(saved->memory, memory, sizeof memory);
    saved->now = now;
    saved->latched = latched;
}

void kdp_library_load(const void *from)
{
    const state *saved = from;
    server = saved->server;
    memcpy(memory, saved->memory, sizeof memory);
    now = saved->now;
    latched = saved->latched;
}

static uint32_t at_most(uint32_t value, uint32_t most)
{
    return value < most ? value : most;
}

/*
 * What the fail-safe's next transitions depend on: all of it but counters, the clock, numbers that only go up,
 * and the plans' content. `to` holds sizeof(kdp_failsafe) bytes; returns how many.
 */
size_t kdp_library_decides(uint8_t *to)
{
    kdp_failsafe copy = server.engine.policy.failsafe;
    const kdp_model *model = server.engine.model;
    memset(&copy.counters, 0, sizeof copy.counters);
    memset(copy.slot, 0, sizeof copy.slot);
    copy.episode = copy.plan_count = copy.clock = 0;
    copy.own = 0;
    copy.last_step = copy.last_step < 0 ? -1 : 0;
    copy.current = 0;
    copy.uncovered = at_most(copy.uncovered, model->safe_steps + 1);
    copy.lateness = (uint8_t)at_most(copy.lateness, model->horizon);
    copy.beyond = at_most(copy.beyond, model->horizon);
    memset(&copy.next, 0, sizeof copy.next);
    copy.next_ticks = copy.ready ? copy.next_ticks : 0;
    memcpy(to, &copy, sizeof copy);
    return sizeof copy;
}

/* One turn of the main loop, without a byte. */
void kdp_library_turn(void)
{
    kdp_server_poll(&server);
}

/* A loss of power: what outlives a restart is gone. */
void kdp_library_forget(void)
{
    latched = false;
}

/* What the device's clock reads now. */
void kdp_library_set_clock(uint32_t ticks)
{
    now = ticks;
}

/* `ticks` microseconds go by without a byte; the server looks at its clock until it has nothing more to do. */
void kdp_library_wait(uint32_t ticks)
{
    now += ticks;
    standing = true;
    for (uint32_t before = ~0u; before != server.engine.policy.failsafe.counters.own;) {
        before = server.engine.policy.failsafe.counters.own;
        kdp_server_watch(&server);
    }
    standing = false;
}

/* What the actuators were told last: [KDP_MODEL_ACT_DIM]. */
void kdp_library_actuated(float *values)
{
    memcpy(values, actuated, sizeof actuated);
}

/* One request body to one reply body; `reply` holds KDP_BODY_MAX bytes. */
size_t kdp_library_answer(const uint8_t *body, size_t size, uint8_t *reply)
{
    size_t answered = kdp_server_answer(&server, body, size);
    memcpy(reply, server.reply, answered);
    kdp_server_prepare(&server);
    return answered;
}

/* Bytes from the wire to bytes on the wire. */
size_t kdp_library_receive(const uint8_t *bytes, size_t size, uint8_t *replies, size_t room)
{
    sent = replies;
    sent_size = 0;
    sent_room = room;
    arriving = bytes;
    arriving_size = size;
    while (arriving_size > 0) {
        kdp_server_poll(&server);
    }
    return sent_size;
}

/* Bytes from the wire to [size u16 | body] of each good frame; `bodies` holds twice `size`. */
size_t kdp_library_unframe(const uint8_t *bytes, size_t size, uint8_t *bodies, uint32_t *bad)
{
    static kdp_receiver receiver;
    uint8_t *to = bodies;
    kdp_receiver_init(&receiver);
    *bad = 0;
    for (size_t i = 0; i < size; i++) {
        int body = kdp_receiver_push(&receiver, bytes[i]);
        if (body > 0) {
            to = kdp_put_bytes(kdp_put_u16(to, (uint32_t)body), receiver.frame, (size_t)body);
        } else if (body < 0) {
            (*bad)++;
        }
    }
    return (size_t)(to - bodies);
}

/* One net on whole input rows [count][shared + column], one candidate at a time. */
int kdp_library_run_net(int critic, const int8_t *inputs, size_t count, int8_t *outputs)
{
    const kdp_net *net = critic ? kdp_model_data.critic : kdp_model_data.generator;
    for (size_t i = 0; i < count; i++) {
        int status = kdp_net_run(net, inputs, inputs + net->shared_size, 1, outputs, scratch, sizeof scratch);
        if (status != 0) {
            return status;
        }
        inputs += net->shared_size + net->column_size;
        outputs += net->output_size;
    }
    return 0;
}

int kdp_library_plan_digest(const float *observation, uint32_t episode, uint32_t index, uint32_t *digest)
{
    kdp_plan *spare = kdp_failsafe_spare(&server.engine.policy.failsafe);
    int status = kdp_planner_plan(&server.engine.policy.planner, observation, episode, index, spare);
    *digest = spare->digest;
    return status;
}

/* ---- the port */

void kdp_port_init(void *context)
{
    (void)context;
}

const kdp_port_info_t *kdp_port_info(void *context)
{
    (void)context;
    return &info;
}

bool kdp_port_read(void *context, uint8_t *byte)
{
    (void)context;
    if (arriving_size == 0) {
        return false;
    }
    arriving_size--;
    *byte = *arriving++;
    return true;
}

bool kdp_port_write(void *context, const uint8_t *data, size_t size)
{
    (void)context;
    if (size > sent_room - sent_size) {
        return false;
    }
    memcpy(sent + sent_size, data, size);
    sent_size += size;
    return true;
}

void kdp_port_idle(void *context, bool timed)
{
    (void)context;
    (void)timed;
}

void kdp_port_actuate(void *context, const float *values, uint32_t count)
{
    (void)context;
    memcpy(actuated, values, sizeof(float) * (count < KDP_MODEL_ACT_DIM ? count : KDP_MODEL_ACT_DIM));
}

/* Read once before and once after each plan, so that a plan takes plan_ticks. */
uint32_t kdp_port_now(void *context)
{
    (void)context;
    if (!standing) {
        now += plan_ticks;
    }
    return now;
}

void kdp_port_keep_latch(void *context, bool keep)
{
    (void)context;
    latched = keep;
}

bool kdp_port_latch_kept(void *context)
{
    (void)context;
    return latched;
}

void kdp_port_reboot(void *context)
{
    (void)context;
    kdp_library_start();
}

void kdp_port_watchdog_start(void *context)
{
    (void)context;
}

void kdp_port_watchdog_feed(void *context)
{
    (void)context;
    watchdog_fed++;
}

bool kdp_port_watchdog_running(void *context)
{
    (void)context;
    return watchdog;
}

bool kdp_port_image_ok(void *context)
{
    (void)context;
    return image_ok;
}

uint32_t kdp_port_faults(void *context)
{
    (void)context;
    return faults;
}

uint32_t kdp_port_receive_overruns(void *context)
{
    (void)context;
    return 0;
}

uint32_t kdp_port_receive_drops(void *context)
{
    (void)context;
    return 0;
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
