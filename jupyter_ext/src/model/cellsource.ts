/** What was asked in the panel, as Python for a cell: it runs in any kernel that has knet, with nothing loaded. */

import type { IAsked } from './types';

/** What `knet.ask` does when it is not told. */
const DEFAULTS: { [name in keyof IAsked]: IAsked[name] } = {
  question: '',
  k: 8,
  ask: null,
  nodes: [],
  private: false,
  min_reliability: 0,
  deadline: 2
};

export function askingCell(asked: IAsked, profile: string): string {
  const names = (Object.keys(DEFAULTS) as (keyof IAsked)[]).filter(name => name !== 'question');
  const options = names
    .filter(name => String(asked[name]) !== String(DEFAULTS[name]) && !(name === 'ask' && asked.nodes.length))
    .map(name => `${name}=${python(asked[name])}`);
  const parts = [quoted(asked.question), `profile=${quoted(profile)}`, ...options];
  return `import knet\n\nknet.ask(\n${parts.map(part => `    ${part},\n`).join('')})`;
}

/** A Python string: JSON's, with what would turn the direction of a line or hide parts of it as escapes. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\p{Cf}\p{Zl}\p{Zp}]/gu,
    one => `\\U${one.codePointAt(0)!.toString(16).padStart(8, '0')}`
  );
}

function python(value: IAsked[keyof IAsked]): string {
  return value === true ? 'True' : value === false ? 'False' : value === null ? 'None' : JSON.stringify(value);
}
