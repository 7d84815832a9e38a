// SPDX-FileCopyrightText: 2026 the kdp-edge authors
// SPDX-License-Identifier: MIT
// The RP2040 under rp2040js: standard input is what its UART0 receives, standard output what it sends.
// usage: node rp2040_emulator.cjs <path of rp2040js> <flash image from 0x10000000>
const fs = require('fs');
const { RP2040, Simulator } = require(process.argv[2]);

const BOOT2_IN_RAM = 0x20041f00;
const NANOSECONDS_A_CYCLE = 8; // 125 MHz

const image = fs.readFileSync(process.argv[3]);
const simulator = new Simulator();
const chip = simulator.rp2040;
chip.flash.set(image);

// What the boot ROM does, once it found the checksum right: run boot2 from RAM. RAM keeps its contents.
function start() {
  const core = chip.core;
  for (let i = 0; i < 256; i += 4) chip.writeUint32(BOOT2_IN_RAM + i, image.readUInt32LE(i));
  core.pendingInterrupts = core.enabledInterrupts = 0;
  core.interruptsUpdated = false;
  core.currentMode = 0;
  core.IPSR = 0;
  core.PM = false;
  core.waiting = false;
  core.SP = 0x20042000;
  core.LR = 0;
  core.PC = BOOT2_IN_RAM;
}
start();

const watchdog = chip.peripherals[0x40058];
let restart = false;
watchdog.onWatchdogTrigger = () => {
  watchdog.writeUint32(0, 0); // CTRL: a restart switches it off
  restart = true;
};

const received = [];
let sent = [];
const uart = chip.uart[0];
uart.onByte = (byte) => sent.push(byte);

let last = process.hrtime.bigint();

function slice() {
  const now = process.hrtime.bigint();
  // asleep, its time is ours; awake, it runs as fast as it can
  if (chip.core.waiting) simulator.clock.tick(Number(now - last));
  last = now;
  for (let i = 0; i < 20000; i++) {
    if (restart) {
      start();
      restart = false;
    }
    if (received.length && !uart.rxFIFO.full) uart.feedByte(received.shift());
    if (chip.core.waiting) break;
    simulator.clock.tick(chip.core.executeInstruction() * NANOSECONDS_A_CYCLE);
  }
  if (sent.length) {
    fs.writeSync(1, Buffer.from(sent));
    sent = [];
  }
  setImmediate(slice);
}

process.stdin.on('data', (data) => received.push(...data));
process.stdin.on('end', () => process.exit(0));
slice();
