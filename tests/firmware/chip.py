# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""A whole image, from reset to replies, on a core's instructions and a model of its chip's registers.

Unicorn has the core, a Cortex-M here and RISC-V in chip_riscv.py; what the chip adds is modelled from its
datasheet, one file a family. That shows that start-up, clock tree, serial port, watchdog and policy work
together as the datasheet reads. It is no emulator of the chip: model and driver were written by the same
hands, and time passes by what is read, not by cycles.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar

from unicorn import UC_ARCH_ARM, UC_HOOK_CODE, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_PC, UC_ARM_REG_SP

from kdp_edge.exporters.boards import load_board
from kdp_edge.exporters.build import Image, toolchain_for
from kdp_edge.exporters.toolchain import run

RETURN = 0x9FFFF000  # where an interrupt handler returns to: the highest executable page
SCS, SYSTICK, NVIC, AIRCR = 0xE000E000, 0xE000E018, 0xE000E100, 0xE000ED0C
RESET_REQUEST = 0x05FA0004
DWT, CYCLES, DEMCR = 0xE0001000, 0xE0001004, 0xE000EDFC
PATIENCE = 60_000_000  # microseconds of this computer for one stretch of work


def symbols(image: Image) -> dict[str, int]:
    """Addresses by name."""
    tool = toolchain_for(load_board(image.board)).tool("nm")
    names = run([tool, str(image.elf)]).splitlines()
    return {line.split()[-1]: int(line.split()[0], 16) for line in names if len(line.split()) == 3}


class Chip:
    """Flash, RAM and registers; a subclass gives the registers meaning. It is also a link's pipe."""

    pc: ClassVar[int] = UC_ARM_REG_PC
    lr: ClassVar[int] = UC_ARM_REG_LR
    thumb: ClassVar[int] = 1  # lowest bit of an address that is jumped to
    core_registers: ClassVar[tuple[tuple[int, int], ...]] = ((SCS, 0x1000), (DWT, 0x1000))
    core_model: ClassVar[int]
    ram: ClassVar[tuple[int, int]]  # start, bytes
    registers: ClassVar[tuple[tuple[int, int], ...]]  # windows: start, bytes
    vectors: ClassVar[int]
    interrupt: ClassVar[int]

    def __init__(self, image: Image, data: bytes | None = None) -> None:
        self.names = symbols(image)
        self.values: dict[int, int] = {}
        self.to_chip: deque[int] = deque()
        self.from_chip = bytearray()
        self.error: BaseException | None = None
        self.restarts = self.systick = self.now = 0
        self.core = self.make_core()
        data = data or image.bin.read_bytes()
        start = load_board(image.board).flash_start
        self.map_flash(start, data)
        self.core.mem_map(*self.ram)
        self.core.mem_map(RETURN, 0x1000)
        for window in (*self.registers, *self.core_registers):
            self.core.mmio_map(
                *window, self._caught(self._read), window[0], self._caught(self._write), window[0]
            )
        idle = self.names["kdp_port_idle"] & ~self.thumb
        self.core.hook_add(UC_HOOK_CODE, self._idle, begin=idle, end=idle)
        self.power_on()

    def map_flash(self, start: int, data: bytes) -> None:
        self.core.mem_map(start, -(-len(data) // 0x1000) * 0x1000)
        self.core.mem_write(start, data)

    # -- a link's pipe

    def write(self, data: bytes) -> None:
        self.to_chip.extend(data)

    def read(self, timeout: float) -> bytes:
        """What the firmware sent until it had nothing to do; it cannot wait, so `timeout` says nothing."""
        for _ in range(4):
            if not self.from_chip:
                self.work()
        sent, self.from_chip = bytes(self.from_chip), bytearray()
        return sent

    def close(self) -> None:
        """Nothing is open."""

    # -- the core

    def make_core(self) -> Uc:
        """Without memory."""
        core = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        core.ctl_set_cpu_model(self.core_model)
        return core

    def power_on(self) -> None:
        self.reset_registers()
        self.start()

    def start(self) -> None:
        """What the core does after every reset."""
        self.core.reg_write(UC_ARM_REG_SP, self._word(self.vectors))
        self.core.reg_write(UC_ARM_REG_PC, self._word(self.vectors + 4))

    def work(self) -> None:
        """Receive what was sent, then run until there is nothing to do."""
        enabled = self.interrupt_enabled()
        while enabled and self.to_chip:
            self.receive(self.to_chip.popleft())
            if self.interrupt_pending():
                self._handle()
        self._run(self.core.reg_read(self.pc), RETURN)

    def interrupt_enabled(self) -> bool:
        """Whether the core takes the serial port's interrupt."""
        return bool(self.values.get(NVIC + 4 * (self.interrupt // 32), 0) >> self.interrupt % 32 & 1)

    def _handle(self) -> None:
        """The interrupt handler, between two instructions of the program: it restores what it uses."""
        before = self.core.context_save()
        self._run(self.enter_interrupt(), RETURN)
        self.core.context_restore(before)

    def enter_interrupt(self) -> int:
        """Where the core goes on for it, in a state that leads back to RETURN."""
        self.core.reg_write(UC_ARM_REG_LR, RETURN | 1)
        return self._word(self.vectors + 4 * (16 + self.interrupt))

    def _run(self, start: int, until: int) -> None:
        self.restart = False
        self.core.emu_start(start | self.thumb, until, timeout=PATIENCE)
        if self.error is not None:
            raise self.error
        if self.restart:
            self.restarts += 1
            self.power_on()

    def _idle(self, core: Uc, _address: int, _size: int, _data: object) -> None:
        """Nothing to do: leave kdp_port_idle at once."""
        self.now += 200
        core.reg_write(self.pc, core.reg_read(self.lr) | self.thumb)
        core.emu_stop()

    def _word(self, address: int) -> int:
        return int.from_bytes(self.core.mem_read(address, 4), "little")

    def _caught(self, access: Callable[..., int | None]) -> Callable[..., int]:
        def caught(core: Uc, offset: int, size: int, *rest: int) -> int:
            try:
                return access(rest[-1] + offset, size, *rest[:-1]) or 0
            except BaseException as error:
                self.error = error
                core.emu_stop()
                return 0

        return caught

    def _read(self, address: int, _size: int) -> int:
        if address == SYSTICK:
            self.systick -= 50
            return self.systick & 0xFFFFFF
        if address == CYCLES and self.values.get(DWT, 0) & 1 and self.values.get(DEMCR, 0) >> 24 & 1:
            self.now += 40
            return self.now & 0xFFFFFFFF
        return self.load(address)

    def _write(self, address: int, size: int, value: int) -> None:
        if address == AIRCR and value == RESET_REQUEST:
            self.ask_restart()
        self.store(address, value)

    def ask_restart(self) -> None:
        """The program asked for a restart: nothing more of it runs."""
        self.restart = True
        self.core.emu_stop()

    # -- registers: what a chip replaces

    def reset_registers(self) -> None:
        """As after a reset; the RAM keeps what it had."""
        self.values = {}

    def load(self, address: int) -> int:
        return self.values.get(address, 0)

    def store(self, address: int, value: int) -> None:
        self.values[address] = value

    def receive(self, byte: int) -> None:
        """A byte came over the wire."""
        raise NotImplementedError

    def interrupt_pending(self) -> bool:
        """Whether the serial port asks for its interrupt."""
        raise NotImplementedError

    def system_hz(self) -> float:
        """The core's clock, as the registers set it."""
        raise NotImplementedError

    def bites(self) -> None:
        """The watchdog, if it runs, restarts the chip."""
        raise NotImplementedError
