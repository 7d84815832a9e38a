/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * The program of every board: one server for the model that was compiled in.
 */
#include "kdp_model.h"
#include "kdp_port.h"
#include "kdp_server.h"

KDP_ALIGNED static uint8_t memory[KDP_MODEL_SERVER_MEMORY];
static kdp_server server;

int main(void)
{
    kdp_port_init(NULL);
    if (kdp_server_init(&server, &kdp_model_data, memory, sizeof memory, NULL) != 0) {
        return 1; /* KDP_MODEL_SERVER_MEMORY is computed from the same dimensions: a build error */
    }
    for (;;) {
        kdp_server_poll(&server);
    }
}
