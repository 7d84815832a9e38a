/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * Any header: the dimensions that kdp_blob_parse goes on with are within the bounds of kdp_planner.h.
 */
#include "any.h"

#include "../core/kdp_blob.c"

int main(void)
{
    static uint8_t header[KDP_BLOB_HEADER];
    static kdp_model model;
    shape_t shape;
    any_bytes(header, sizeof header);
    read_scalars(&model, header);
    if (dimensions_fit(&model)) {
        //@ assert observation: 1 <= model.obs_dim <= 250;
        //@ assert action: 1 <= model.act_dim <= 64;
        //@ assert horizon: 1 <= model.horizon <= 254;
        //@ assert chunk: 1 <= model.chunk <= 254;
        //@ assert ahead: model.ahead <= 1;
        //@ assert candidates: 1 <= model.k <= KDP_MAX_K;
        //@ assert played: 1 <= model.critic_steps <= 254;
        //@ assert margin: -(1 << 30) <= model.margin <= 1 << 30;
    }
    size_t columns = (size_t)any_between(0, UINT16_MAX), outputs = (size_t)any_between(0, UINT16_MAX);
    if (read_shape(&shape, header, columns, outputs, (uint16_t)any_between(1, 250))) {
        //@ assert width: 1 <= shape.width <= KDP_BLOB_WIDTH;
        //@ assert blocks: shape.block_count <= KDP_BLOB_BLOCKS;
    }
    return 0;
}
