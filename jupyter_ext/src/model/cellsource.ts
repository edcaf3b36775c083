/** The question of the panel as Python for a cell. It runs in every kernel with knet installed. */

import { ASK_DEFAULTS, AskRequest } from './types';

type Options = typeof ASK_DEFAULTS;

/** Return the call of `knet.ask` with the options that differ from its defaults. */
export function askingCell(asked: Required<AskRequest>): string {
  const options = (Object.keys(ASK_DEFAULTS) as (keyof Options)[])
    .filter(name => name !== 'profile')
    .filter(name => String(asked[name]) !== String(ASK_DEFAULTS[name]) && !(name === 'max_nodes' && asked.nodes.length))
    .map(name => `${name}=${python(asked[name])}`);
  const parts = [quoted(asked.question), `profile=${quoted(asked.profile)}`, ...options];
  return `import knet\n\nknet.ask(\n${parts.map(part => `    ${part},\n`).join('')})`;
}

/** Return a Python string literal; characters that change the direction of text or hide parts of it become escapes. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\p{Cf}\p{Zl}\p{Zp}]/gu,
    one => `\\U${one.codePointAt(0)!.toString(16).padStart(8, '0')}`
  );
}

function python(value: Options[keyof Options]): string {
  return value === true ? 'True' : value === false ? 'False' : JSON.stringify(value);
}
