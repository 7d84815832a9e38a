/* SPDX-FileCopyrightText: 2026 the kdp-edge authors */
/* SPDX-License-Identifier: MIT */
/* QEMU TCG plug-in: how often each instruction of a memory range was executed.
 *
 * Arguments base=, size= (bytes), out= (file). The file is an array of u64, host byte order: entry 0
 * counts what lies outside, entry 1 + (address - base) / 2 the instruction at an address.
 * Declarations are our own, from the plug-in API's first version (QEMU 4.2 and later). */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t plugin_id;
struct block;
struct instruction;
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct block *));
extern size_t qemu_plugin_tb_n_insns(const struct block *);
extern struct instruction *qemu_plugin_tb_get_insn(const struct block *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct instruction *);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct instruction *, int, void *, uint64_t);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static uint64_t base, size, *counts;

static void translated(plugin_id id, struct block *block)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct instruction *const instruction = qemu_plugin_tb_get_insn(block, i);
        const uint64_t at = qemu_plugin_insn_vaddr(instruction) - base;
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, 0, &counts[at < size ? 1 + at / 2 : 0], 1);
    }
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc,
                                                               char **argv)
{
    const char *out = "";
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "base=", 5) == 0) {
            base = strtoull(argv[i] + 5, NULL, 0);
        } else if (strncmp(argv[i], "size=", 5) == 0) {
            size = strtoull(argv[i] + 5, NULL, 0);
        } else if (strncmp(argv[i], "out=", 4) == 0) {
            out = argv[i] + 4;
        }
    }
    const size_t bytes = (size_t)(size / 2 + 1) * sizeof *counts;
    const int file = open(out, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ftruncate(file, (off_t)bytes) != 0) {
        return -1;
    }
    counts = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (counts == MAP_FAILED) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
