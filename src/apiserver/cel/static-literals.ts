import { compileRegularExpression } from '../../api/apiextensions/regular-expression.ts';
import { CompileError } from './compile-error.ts';
import { parseTime } from './library/corrections.ts';
import { parseDuration } from './library/durations.ts';
import { eachNode, type SyntaxNode } from './syntax.ts';

interface LibraryType {
  readonly kind: string;
  readonly name: string;
  readonly keyType?: LibraryType;
  readonly valueType?: LibraryType;
}

type CheckedNode = SyntaxNode & { readonly checkedType?: LibraryType };

/** What is wrong with the constants of an expression that has been checked: mixed lists and maps, patterns, times. Throws CompileError. */
export function checkLiterals(root: SyntaxNode, source: string): void {
  const exempt = new Set<unknown>();
  eachNode(root, (node) => {
    if (exempt.has(node)) return;
    if (node.op === 'call' && rewritten.has((node.args as [string])[0]))
      for (const argument of (node.args as [string, SyntaxNode[]])[1]) exempt.add(argument);
    if (node.op === '-_') exempt.add(node.args);
    if (node.op === 'value' && typeof node.args === 'bigint' && node.args > MAX_INT)
      throw new CompileError('Syntax error: invalid int literal', source, node.start);
    if (node.op === 'list') sameTypes(node.args as CheckedNode[], source);
    else if (node.op === 'map') {
      const entries = node.args as readonly (readonly [CheckedNode, CheckedNode])[];
      sameTypes(
        entries.map(([key]) => key),
        source,
      );
      sameTypes(
        entries.map(([, value]) => value),
        source,
      );
    } else if (node.op === 'call' || node.op === 'rcall') checkArgument(node, source);
  });
}

/** Calls that stand for other syntax, whose arguments are of any types. */
const rewritten = new Set(['objectOf', 'optionalList', 'optionalMap']);

const MAX_INT = 9_223_372_036_854_775_807n;

function sameTypes(nodes: readonly CheckedNode[], source: string): void {
  let first: LibraryType | undefined;
  for (const { checkedType, start } of nodes) {
    if (!checkedType || !isKnown(checkedType)) continue;
    first ??= checkedType;
    if (!fits(first, checkedType))
      throw new CompileError(`expected type '${shown(first)}' but found '${shown(checkedType)}'`, source, start);
  }
}

const isKnown = ({ kind }: LibraryType) => kind !== 'dyn' && kind !== 'param' && kind !== 'optional';

function fits(a: LibraryType | undefined, b: LibraryType | undefined): boolean {
  if (!a || !b || !isKnown(a) || !isKnown(b) || a === b) return true;
  if (a.kind !== b.kind) return a.kind === 'message' ? b.name === 'null' : a.name === 'null' && b.kind === 'message';
  if (a.kind === 'list') return fits(a.valueType, b.valueType);
  if (a.kind === 'map') return fits(a.keyType, b.keyType) && fits(a.valueType, b.valueType);
  return a.name === b.name;
}

function shown({ kind, name, keyType, valueType }: LibraryType): string {
  const part = (type: LibraryType | undefined) => (type ? shown(type) : 'dyn');
  if (kind === 'list') return `list(${part(valueType)})`;
  if (kind === 'map') return `map(${part(keyType)}, ${part(valueType)})`;
  if (kind === 'param') return 'dyn';
  return name.replace('google.protobuf.Timestamp', 'timestamp').replace('google.protobuf.Duration', 'duration');
}

function checkArgument(node: SyntaxNode, source: string): void {
  const [name] = node.args as [string];
  const given = (node.op === 'call' ? (node.args as unknown[])[1] : (node.args as unknown[])[2]) as SyntaxNode[];
  const argument = given.at(-1);
  if (argument?.op !== 'value' || typeof argument.args !== 'string') return;
  const text = argument.args;
  const invalid = () => new CompileError(`invalid ${name} argument`, source, argument.start);
  if (node.op === 'call' && name === 'duration' && !parseDuration(text)) throw invalid();
  if (node.op === 'call' && name === 'timestamp' && !parseTime(text)) throw invalid();
  if (name === 'matches' && patternError(text) !== undefined) throw invalid();
  if (node.op === 'rcall' && (name === 'find' || name === 'findAll') && given[0] === argument) {
    const why = patternError(text);
    if (why !== undefined) throw new CompileError(`error parsing regexp: ${why}`, source, argument.start);
  }
}

function patternError(pattern: string): string | undefined {
  try {
    compileRegularExpression(pattern);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
