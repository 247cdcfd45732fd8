/** "expand 32-byte k" */
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;
const BLOCK_BYTES = 64;

/** Where key, nonce and constants stand in the state of Salsa20. */
const CONSTANT_WORDS = [0, 5, 10, 15] as const;
const INPUT_WORDS = [6, 7, 8, 9] as const;
const QUARTERS = [
  [0, 4, 8, 12],
  [5, 9, 13, 1],
  [10, 14, 2, 6],
  [15, 3, 7, 11],
  [0, 1, 2, 3],
  [5, 6, 7, 4],
  [10, 11, 8, 9],
  [15, 12, 13, 14],
] as const;

/** Adds the key stream of XSalsa20 (D. J. Bernstein, "Extending the Salsa20 nonce") to `data`; the nonce has 24 bytes. */
export function xsalsa20(key: Uint8Array, nonce: Uint8Array, data: Uint8Array): void {
  // HSalsa20: a key of its own from the first 16 bytes of the nonce, without the final addition.
  const derived = stateOf(words(key, 0, 8), words(nonce, 0, 4));
  doubleRounds(derived);
  const subkey = [...CONSTANT_WORDS, ...INPUT_WORDS].map((at) => derived[at]!);
  const input = [...words(nonce, 16, 2), 0, 0];
  const block = new Uint32Array(16);
  for (let start = 0, counter = 0; start < data.length; start += BLOCK_BYTES, counter++) {
    input[2] = counter >>> 0;
    const state = stateOf(subkey, input);
    block.set(state);
    doubleRounds(block);
    for (let word = 0; word < 16; word++) {
      const sum = (block[word]! + state[word]!) >>> 0;
      for (let byte = 0; byte < 4; byte++) {
        const at = start + 4 * word + byte;
        if (at < data.length) data[at]! ^= (sum >>> (8 * byte)) & 0xff;
      }
    }
  }
}

function stateOf(key: readonly number[], input: readonly number[]): Uint32Array {
  const state = new Uint32Array(16);
  for (let i = 0; i < 4; i++) {
    state[CONSTANT_WORDS[i]!] = SIGMA[i]!;
    state[1 + i] = key[i]!;
    state[INPUT_WORDS[i]!] = input[i]!;
    state[11 + i] = key[4 + i]!;
  }
  return state;
}

function doubleRounds(x: Uint32Array): void {
  for (let round = 0; round < 10; round++) {
    for (const [a, b, c, d] of QUARTERS) {
      x[b]! ^= rotated(x[a]! + x[d]!, 7);
      x[c]! ^= rotated(x[b]! + x[a]!, 9);
      x[d]! ^= rotated(x[c]! + x[b]!, 13);
      x[a]! ^= rotated(x[d]! + x[c]!, 18);
    }
  }
}

const rotated = (value: number, by: number) => (value << by) | (value >>> (32 - by));

/** Little-endian words. */
function words(bytes: Uint8Array, offset: number, count: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 4 * count);
  return Array.from({ length: count }, (_, i) => view.getUint32(4 * i, true));
}
