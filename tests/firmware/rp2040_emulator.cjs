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

// what the boot ROM does, once it found the checksum right: run boot2 from RAM
for (let i = 0; i < 256; i += 4) chip.writeUint32(BOOT2_IN_RAM + i, image.readUInt32LE(i));
chip.core.SP = 0x20042000;
chip.core.LR = 0;
chip.core.PC = BOOT2_IN_RAM;

const received = [];
let sent = [];
const uart = chip.uart[0];
uart.onByte = (byte) => sent.push(byte);

function slice() {
  for (let i = 0; i < 20000; i++) {
    if (chip.core.waiting) {
      if (!received.length) break;
      simulator.clock.tick(1000);
    } else {
      simulator.clock.tick(chip.core.executeInstruction() * NANOSECONDS_A_CYCLE);
    }
    if (received.length && !uart.rxFIFO.full) uart.feedByte(received.shift());
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
