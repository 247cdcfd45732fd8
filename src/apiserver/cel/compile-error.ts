/** Why an expression does not compile, in the form of upstream's compiler. */
export class CompileError extends Error {
  constructor(message: string, source: string, at = 0) {
    const before = source.slice(0, at).split('\n');
    const line = source.split('\n')[before.length - 1] ?? '';
    const column = before.at(-1)!.length;
    super(`ERROR: <input>:${before.length}:${column + 1}: ${message}\n | ${line}\n | ${'.'.repeat(column)}^`);
  }
}
