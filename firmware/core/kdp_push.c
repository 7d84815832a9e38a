/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
#include "kdp_push.h"

#include <string.h>

#include "kdp_bytes.h"
#include "kdp_trust.h"

static uint32_t owner(const kdp_push *push)
{
    return kdp_get_u32(push->compiled->sha256);
}

/* The link carries what the names of these signals say: a model for others would read and move something else. */
static bool has_same_signals(const kdp_model *model, const kdp_model *compiled)
{
    return memcmp(model->schema_sha256, compiled->schema_sha256, 32) == 0 && model->obs_dim == compiled->obs_dim &&
           model->act_dim == compiled->act_dim && model->rate_millihertz == compiled->rate_millihertz;
}

/*
 * Whether the blob is older than the model in use. Where models are signed: what was signed once stays
 * signed, and would otherwise be back whenever somebody sends it.
 */
static bool is_older(const kdp_push *push, const uint8_t *blob, const uint8_t hash[KDP_SHA256_SIZE])
{
    if (kdp_trust_takes() != KDP_TAKES_SIGNED || push->active == KDP_SLOT_COMPILED) {
        return false; /* kdp_trust_check compares with the model compiled in */
    }
    uint32_t found = kdp_blob_sequence(blob), used = kdp_push_sequence(push);
    return found < used || (found == used && memcmp(hash, push->hash, KDP_SHA256_SIZE) != 0);
}

/* Whether a blob in a slot may have `size` bytes. */
static bool has_a_size(const kdp_push *push, size_t size)
{
    return size >= KDP_BLOB_HEADER + KDP_SIGNATURE_SIZE && size <= kdp_slot_capacity(push->context);
}

/*
 * Use the blob of `size` bytes at `data`, whose size, CRC and kernel are right: 0 when it may be used and
 * passes everything that can be asked of it. Its signature comes before all else of it.
 */
static int use(kdp_push *push, kdp_engine *engine, const uint8_t *data, size_t size)
{
    uint8_t hash[KDP_SHA256_SIZE];
    if (!has_a_size(push, size)) {
        return KDP_ERROR_BAD_BLOB;
    }
    kdp_blob_hash(data, size, hash);
    int status = kdp_trust_check(hash, kdp_blob_signature(data, size), kdp_blob_sequence(data));
    if (status != 0) {
        return status;
    }
    if (is_older(push, data, hash)) {
        return KDP_ERROR_OLDER;
    }
    if (kdp_blob_parse(&push->blob, data, size) != 0) {
        return KDP_ERROR_BAD_BLOB;
    }
    if (!has_same_signals(&push->blob.model, push->compiled)) {
        return KDP_ERROR_OTHER_SIGNALS;
    }
    if (kdp_engine_use(engine, &push->blob.model) != 0) {
        return KDP_ERROR_OUT_OF_MEMORY;
    }
    memcpy(push->hash, hash, sizeof hash);
    return engine->policy.selftest.passed ? 0 : KDP_ERROR_SELFTEST_FAILED;
}

int kdp_push_boot(kdp_push *push, kdp_engine *engine)
{
    uint32_t tried = 0;
    push->active = KDP_SLOT_COMPILED;
    for (;;) {
        uint32_t slot = kdp_slot_newest(push->context, tried, owner(push));
        if (slot == KDP_SLOT_COMPILED) {
            memset(push->hash, 0, sizeof push->hash);
            return kdp_engine_use(engine, push->compiled);
        }
        const uint8_t *blob = kdp_slot_blob(push->context, slot);
        if (use(push, engine, blob, kdp_blob_size(blob)) == 0) {
            push->active = slot;
            return 0;
        }
        tried |= 1u << slot; /* at most KDP_SLOTS rounds */
    }
}

uint32_t kdp_push_sequence(const kdp_push *push)
{
    return push->active < KDP_SLOTS ? kdp_blob_sequence(kdp_slot_blob(push->context, push->active)) : kdp_trust_sequence();
}

/* Whether a pushed model is in use that allows itself more than the one compiled in: wider limits, more time. */
static bool is_wider(const kdp_push *push)
{
    const kdp_model *model = &push->blob.model, *compiled = push->compiled;
    if (push->active == KDP_SLOT_COMPILED) {
        return false;
    }
    bool wider = model->safe_steps > compiled->safe_steps || model->deadline_us > compiled->deadline_us ||
                 model->silent_steps > compiled->silent_steps;
    for (size_t i = 0; i < compiled->act_dim; i++) {
        wider |= model->act_low[i] < compiled->act_low[i] || model->act_high[i] > compiled->act_high[i] ||
                 model->act_rate[i] > compiled->act_rate[i];
    }
    return wider;
}

uint32_t kdp_push_flags(const kdp_push *push)
{
    kdp_takes takes = kdp_slot_capacity(push->context) > 0 ? kdp_trust_takes() : KDP_TAKES_NONE;
    return (push->active != KDP_SLOT_COMPILED ? KDP_HELLO_PUSHED : 0u) | (is_wider(push) ? KDP_HELLO_NARROWED : 0u) |
           (takes == KDP_TAKES_ANY ? KDP_HELLO_TAKES_UNSIGNED : 0u) |
           (takes == KDP_TAKES_SIGNED ? KDP_HELLO_TAKES_SIGNED : 0u);
}

/* Never the slot in use; of two others the one that was committed earlier. */
static uint32_t spare_slot(const kdp_push *push)
{
    if (push->active < KDP_SLOTS) {
        return 1u - push->active;
    }
    return kdp_slot_order(push->context, 0, owner(push)) <= kdp_slot_order(push->context, 1, owner(push)) ? 0 : 1;
}

static int begin(kdp_push *push, const uint8_t *payload, uint8_t *to)
{
    uint32_t bytes = kdp_get_u32(payload), crc = kdp_get_u32(payload + 4);
    if (bytes < KDP_BLOB_LEAST || bytes % KDP_FLASH_WORD != 0) {
        return KDP_ERROR_BAD_LENGTH;
    }
    if (bytes > kdp_slot_capacity(push->context)) {
        return KDP_ERROR_TOO_LARGE;
    }
    bool repeated = push->begun && push->written == 0 && push->size == bytes && push->crc == crc;
    if (!repeated) {
        push->begun = false;
        push->slot = spare_slot(push);
        if (kdp_port_slot_erase(push->context, push->slot) != 0) {
            return KDP_ERROR_FLASH_FAILED;
        }
        push->size = bytes;
        push->crc = crc;
        push->written = 0;
        push->begun = true;
    }
    return (int)(kdp_put_u8(to, push->slot) - to);
}

static int data(kdp_push *push, const uint8_t *payload, size_t size, uint8_t *to)
{
    uint32_t offset = kdp_get_u32(payload), bytes = (uint32_t)size - 4;
    if (!push->begun || offset > push->written || (uint64_t)offset + bytes > push->size) {
        return KDP_ERROR_OUT_OF_ORDER;
    }
    if (offset < push->written) {
        /* a repetition, or the host went back: right only if flash holds just that */
        if (offset + bytes > push->written || memcmp(kdp_slot_blob(push->context, push->slot) + offset, payload + 4, bytes) != 0) {
            return KDP_ERROR_OUT_OF_ORDER;
        }
    } else if (kdp_slot_program(push->context, push->slot, offset, payload + 4, bytes) != 0) {
        push->begun = false; /* half a word may be there: only an erase helps */
        return KDP_ERROR_FLASH_FAILED;
    } else {
        push->written = offset + bytes;
    }
    return (int)(kdp_put_u32(to, push->written) - to);
}

/* The model in the spare slot: 0 when it is in use and committed. */
static int try_spare(kdp_push *push, kdp_engine *engine)
{
    const uint8_t *blob = kdp_slot_blob(push->context, push->slot);
    if (kdp_blob_size(blob) != push->size || kdp_blob_crc(blob) != push->crc ||
        kdp_blob_check(blob, push->size) != 0) {
        return KDP_ERROR_BAD_BLOB;
    }
    int status = use(push, engine, blob, push->size);
    if (status != 0) {
        return status;
    }
    return kdp_slot_commit(push->context, push->slot, owner(push)) == 0 ? 0 : KDP_ERROR_FLASH_FAILED;
}

static int commit(kdp_push *push, kdp_engine *engine, const uint8_t *payload, uint8_t *to)
{
    uint32_t crc = kdp_get_u32(payload);
    bool repeated = !push->begun && push->active < KDP_SLOTS &&
                    kdp_blob_crc(kdp_slot_blob(push->context, push->active)) == crc;
    if (!repeated) {
        if (!push->begun || push->written != push->size || push->crc != crc) {
            return KDP_ERROR_OUT_OF_ORDER;
        }
        push->begun = false;
        int status = try_spare(push, engine);
        if (status != 0) {
            kdp_push_boot(push, engine); /* back to the model that was in use */
            return status;
        }
        push->active = push->slot;
    }
    return (int)(kdp_put_bytes(kdp_put_u8(to, push->active), push->hash, sizeof push->hash) - to);
}

static uint8_t *put_slot(const kdp_push *push, uint8_t *to, uint32_t slot)
{
    kdp_slot_state state = kdp_slot_check(push->context, slot, owner(push));
    const uint8_t *blob = kdp_slot_blob(push->context, slot);
    uint32_t size = kdp_blob_size(blob);
    bool sound = state == KDP_SLOT_SOUND && has_a_size(push, size);
    uint8_t hash[KDP_SHA256_SIZE] = {0};
    if (sound) {
        kdp_blob_hash(blob, size, hash);
    }
    to = kdp_put_u8(to, state);
    to = kdp_put_u32(to, kdp_slot_order(push->context, slot, owner(push)));
    to = kdp_put_u32(to, sound ? kdp_blob_size(blob) : 0);
    to = kdp_put_u32(to, sound ? kdp_blob_sequence(blob) : 0);
    return kdp_put_bytes(to, hash, sizeof hash);
}

static int info(const kdp_push *push, const kdp_engine *engine, uint8_t *to)
{
    uint32_t capacity = kdp_slot_capacity(push->context);
    uint32_t slots = capacity == 0 ? 0 : KDP_SLOTS;
    uint8_t *end = kdp_put_u8(to, KDP_KERNEL);
    end = kdp_put_u8(end, push->active);
    end = kdp_put_u32(end, capacity);
    end = kdp_put_u32(end, (uint32_t)engine->memory_size);
    end = kdp_put_u8(end, slots);
    for (uint32_t slot = 0; slot < slots; slot++) {
        end = put_slot(push, end, slot);
    }
    return (int)(end - to);
}

static bool length_fits(uint8_t type, size_t size)
{
    switch (type) {
    case KDP_PUSH_BEGIN:
        return size == 8;
    case KDP_PUSH_DATA:
        return size > 4 && (size - 4) % KDP_FLASH_WORD == 0;
    case KDP_PUSH_COMMIT:
        return size == 4;
    default:
        return size == 0;
    }
}

int kdp_push_answer(kdp_push *push, kdp_engine *engine, uint8_t type, const uint8_t *payload, size_t size,
                    uint8_t *to)
{
    if (!length_fits(type, size)) {
        return KDP_ERROR_BAD_LENGTH;
    }
    if (engine->policy.failsafe.state != KDP_IDLE) {
        push->begun = false;
        return KDP_ERROR_BUSY;
    }
    if (type == KDP_SLOT_INFO) {
        return info(push, engine, to);
    }
    if (kdp_slot_capacity(push->context) == 0) {
        return KDP_ERROR_NO_SLOTS;
    }
    if (kdp_trust_takes() == KDP_TAKES_NONE) {
        return KDP_ERROR_NOT_TAKEN;
    }
    switch (type) {
    case KDP_PUSH_BEGIN:
        return begin(push, payload, to);
    case KDP_PUSH_DATA:
        return data(push, payload, size, to);
    case KDP_PUSH_COMMIT:
        return commit(push, engine, payload, to);
    default:
        return KDP_ERROR_UNKNOWN_TYPE;
    }
}
