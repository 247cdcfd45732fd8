/**
 * Replaces `$(NAME)` by its value; `$$` is a literal `$`, so `$$(NAME)` stays `$(NAME)`. A name without a value stays as it is.
 */
export function expandVariables(text: string, lookUp: (name: string) => string | undefined): string {
  if (!text.includes('$')) return text;
  let result = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    const next = text[at + 1];
    if (char !== '$' || next === undefined) {
      result += char;
    } else if (next === '$') {
      result += '$';
      at++;
    } else if (next === '(') {
      const end = text.indexOf(')', at + 2);
      if (end < 0) {
        result += '$(';
        at++;
        continue;
      }
      const name = text.slice(at + 2, end);
      result += lookUp(name) ?? `$(${name})`;
      at = end;
    } else {
      result += char + next;
      at++;
    }
  }
  return result;
}
