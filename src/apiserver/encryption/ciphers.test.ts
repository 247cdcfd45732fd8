import { expect, it } from 'vitest';
import { aesCbc } from './aes-cbc.ts';
import { aesGcm } from './aes-gcm.ts';
import { openBox, sealBox, secretbox } from './secretbox.ts';
import type { ValueCipher } from './value-cipher.ts';

const secret = (byte: number) => Buffer.alloc(32, byte);
const opened = async (cipher: ValueCipher, value: Uint8Array, key: string) =>
  Buffer.from(await cipher.open(value.subarray(cipher.prefix.length), key)).toString();

it.each([
  ['aesgcm', aesGcm('k', secret(1)), aesGcm('k', secret(2)), 'cipher: message authentication failed'],
  ['secretbox', secretbox('k', secret(1)), secretbox('k', secret(2)), 'secretbox: failed to decrypt'],
  ['aescbc', aesCbc('k', secret(1)), aesCbc('k', secret(2)), /invalid padding on input|^$/],
])('%s seals and opens values of any length, and refuses another key', async (name, cipher, other, failure) => {
  for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 5000, 200_000]) {
    const plain = 'ä'.repeat(length);
    const value = await cipher.seal(Buffer.from(plain), '/a');
    expect(Buffer.from(value).toString('latin1').startsWith(`k8s:enc:${name}:v1:k:`)).toBe(true);
    expect(Buffer.from(value).includes('ää')).toBe(false);
    expect(await opened(cipher, value, '/a')).toBe(plain);
    // Without authentication a wrong key is noticed by the padding alone, so nearly always.
    if (name !== 'aescbc') await expect(opened(other, value, '/a')).rejects.toThrow(failure);
  }
});

it('binds a value to its store key with aesgcm', async () => {
  const cipher = aesGcm('k', secret(1));
  const value = await cipher.seal(Buffer.from('x'), '/registry/core/secrets/a/b');
  await expect(opened(cipher, value, '/registry/core/secrets/a/c')).rejects.toThrow('message authentication failed');
});

it("makes NaCl's secretbox, byte for byte", async () => {
  // The example of "Cryptography in NaCl", sections 9 and 10.
  const key = Buffer.from('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389', 'hex');
  const nonce = Buffer.from('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37', 'hex');
  const plain = Buffer.from(
    'be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705',
    'hex',
  );
  const box = await sealBox(key, nonce, plain);
  expect(box.toString('hex')).toBe(
    'f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5',
  );
  expect(await openBox(key, nonce, box)).toEqual(plain);
});
