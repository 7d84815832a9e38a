/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/*
 * What blob.c proves of kdp_blob_parse, in its place: it reads what it was given and nothing else; a model
 * within bounds, or an error.
 */
#include "any.h"
#include "any_model.h"
#include "kdp_blob.h"

int kdp_blob_parse(kdp_blob *blob, const uint8_t *data, size_t size)
{
    //@ assert readable: size == 0 || \valid_read(data + (0 .. size - 1));
    if (any_between(0, 1) != 0) {
        return KDP_ERROR_BLOB_VALUES;
    }
    blob->model = *any_model();
    return 0;
}
