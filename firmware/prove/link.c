/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The link: any bytes for ever. What is answered is anything here; device.c has the server itself.
 */
#include "any.h"
#include "kdp_server.h"

static kdp_server server;

/* What device.c proves of it: a reply that fits into a frame. */
size_t kdp_server_answer(kdp_server *to, const uint8_t *request, size_t size)
{
    //@ assert a_body: KDP_FRAME_HEADER <= size <= KDP_BODY_MAX;
    (void)request;
    any_bytes(to->reply, sizeof to->reply);
    to->reboot = any_between(0, 1) != 0;
    return (size_t)any_between(0, KDP_BODY_MAX);
}

int main(void)
{
    //@ widen_hints global:"all", KDP_FRAME_MAX;
    kdp_receiver_init(&server.receiver);
    for (;;) {
        kdp_server_poll(&server);
    }
}
