import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../../apimachinery/coded-error.ts';
import type { KeyPair } from './certificate-request.ts';

/** PEM files in a directory: it is 0700 and they are 0600. */
export class KeyFiles {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async prepare(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await chmod(this.#dir, 0o700);
  }

  /** Throws CodedError PKI_UNREADABLE. */
  async read(name: string): Promise<string | undefined> {
    const path = join(this.#dir, name);
    try {
      const text = await readFile(path, 'utf8');
      if (!text.includes('-----END ')) throw new Error('it is cut off');
      return text;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw this.unusable(name, (cause as Error).message, cause);
    }
  }

  /** Undefined without the certificate: the key is written first, so nothing was signed for a key that is alone. */
  async readPair(name: string): Promise<KeyPair | undefined> {
    const [cert, key] = await Promise.all([this.read(`${name}.crt`), this.read(`${name}.key`)]);
    if (cert !== undefined && key === undefined) throw this.unusable(`${name}.key`, 'it is missing');
    return cert !== undefined && key !== undefined ? { cert, key } : undefined;
  }

  /** Whole or not at all, also when the machine stops in the middle. */
  async write(name: string, text: string): Promise<void> {
    const path = join(this.#dir, name);
    await writeFile(`${path}.tmp`, text, { mode: 0o600, flush: true });
    await rename(`${path}.tmp`, path);
  }

  async writePair(name: string, pair: KeyPair): Promise<void> {
    await this.write(`${name}.key`, pair.key);
    await this.write(`${name}.crt`, pair.cert);
  }

  unusable(name: string, why: string, cause?: unknown): CodedError {
    return new CodedError(
      'PKI_UNREADABLE',
      `${join(this.#dir, name)} can't be used: ${why}`,
      'Restore the file from a backup, or start anew with another --data-dir.',
      { cause },
    );
  }
}
