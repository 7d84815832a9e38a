# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The numbers of the link protocol; firmware/core and firmware/nn hold the same, which a test compares."""

from __future__ import annotations

from enum import IntEnum, IntFlag

PROTOCOL = 3
REPLY = 0x80  # type of a reply: the request's with this bit
ERROR = 0xFF


class Type(IntEnum):
    """Types of requests."""

    HELLO = 0x01
    RESET = 0x02
    STEP = 0x03
    TICK = 0x04
    SELFTEST = 0x05
    TELEMETRY = 0x06
    ARM = 0x07
    REBOOT = 0x08
    ECHO = 0x09
    PLAN = 0x0A
    PUSH_BEGIN = 0x10
    PUSH_DATA = 0x11
    PUSH_COMMIT = 0x12
    SLOT_INFO = 0x13


class State(IntEnum):
    """States of the fail-safe, in order of growing concern."""

    IDLE = 0  # no RESET since boot: STEP is refused
    RUNNING = 1  # the action comes from a fresh plan
    REPLAYING = 2  # the action is the next step of the last plan
    SAFE = 3  # the declared safe action
    LATCHED = 4  # safe action until ARM


class Pace(IntEnum):
    """Whose clock runs, as RESET says."""

    LOCKSTEP = 0  # the host's: a simulation may stand still, silence means nothing
    REAL = 1  # the world's: silence is a fault, and the device goes on by its own clock


class Flag(IntFlag):
    """Why an action is what it is; bits of the reply's flags byte."""

    PLANNED = 1  # a new plan begins: made for this step, or ahead for it
    BAD_OBSERVATION = 2  # not finite or outside the accepted range
    OVERRUN = 4  # the plan took longer than the deadline
    MISSED = 8  # no observation came for this step: TICK, or silence
    LIMITED = 16  # range or rate limit changed the action
    SATURATED = 32  # the observation was accepted, but lies beyond what int8 can tell apart
    AHEAD = 64  # that plan was made ahead, in the step before


class Refusal(IntEnum):
    """Codes of an error reply."""

    UNKNOWN_TYPE = 1
    BAD_LENGTH = 2
    NOT_READY = 3  # IDLE: RESET first
    STALE = 4  # step number not above the last one
    SELFTEST_FAILED = 5
    NOT_ARMED = 6  # reserved: a latched device answers with its safe action
    BUSY = 7  # not IDLE: no new model now
    NO_SLOTS = 8  # the board keeps no models
    TOO_LARGE = 9  # for a slot
    OUT_OF_ORDER = 10  # not what a push expects next
    FLASH_FAILED = 11  # the flash does not hold what was written
    BAD_BLOB = 12  # damaged, malformed, or for another kernel
    OUT_OF_MEMORY = 13  # the model needs more RAM than the firmware was built with
    BAD_SIGNATURE = 14  # a model without a signature, or not by the key of the image
    OLDER = 15  # its sequence number is not above that of the model in use
    NOT_TAKEN = 16  # the image takes no model over the link: no key, and unsigned ones not allowed
    OTHER_SIGNALS = 17  # names, units, order or rate are not those of the model compiled in


class ClockSource(IntEnum):
    """What the core's clock comes from."""

    INTERNAL = 0
    CRYSTAL = 1
    BOARD = 2
    OPERATING_SYSTEM = 3
    EMULATOR = 4


class HelloFlag(IntFlag):
    """Bits of the hello's flags."""

    SELFTEST_PASSED = 1
    WATCHDOG = 2  # running
    FAULTED = 4  # restarted by a fault or the watchdog since power-on
    PUSHED = 8  # the model in use was pushed; not the one compiled in
    NARROWED = 16  # its limits are wider than those compiled in, which count
    TAKES_UNSIGNED = 32  # any model may be pushed
    TAKES_SIGNED = 64  # models signed with the image's key may be pushed
    AHEAD = 128  # the model in use plans ahead
