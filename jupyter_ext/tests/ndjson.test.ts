import { expect, it } from 'vitest';

import { readLines } from '../src/model/ndjson';

function stream(...pieces: string[]): { body: ReadableStream<Uint8Array>; cancelled: () => boolean } {
  const bytes = pieces.map(piece => new TextEncoder().encode(piece));
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: controller => (bytes.length ? controller.enqueue(bytes.shift()!) : controller.close()),
    cancel: () => void (cancelled = true)
  });
  return { body, cancelled: () => cancelled };
}

async function read(...pieces: string[]): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const value of readLines(stream(...pieces).body)) {
    found.push(value);
  }
  return found;
}

it('reads one value a line from any pieces of bytes', async () => {
  expect(await read('{"a":', '1}\n\n{"b"', ':2}\n[3]')).toEqual([{ a: 1 }, { b: 2 }, [3]]);
  expect(await read('')).toEqual([]);
});

it('joins characters that were split', async () => {
  const bytes = new TextEncoder().encode('"ä😀"\n');
  const parts = [...bytes].map(byte => Uint8Array.of(byte));
  const body = new ReadableStream<Uint8Array>({
    pull: controller => (parts.length ? controller.enqueue(parts.shift()!) : controller.close())
  });
  const found = [];
  for await (const value of readLines(body)) {
    found.push(value);
  }
  expect(found).toEqual(['ä😀']);
});

it('closes the connection when the reader leaves', async () => {
  const { body, cancelled } = stream('1\n', '2\n', '3\n');
  for await (const value of readLines(body)) {
    expect(value).toBe(1);
    break;
  }
  expect(cancelled()).toBe(true);
});

it('fails for a line that is not JSON', async () => {
  await expect(read('{"a":1}\nnonsense\n')).rejects.toThrow();
});

it('ends with the last complete line when the connection is lost', async () => {
  expect(await read('{"a":1}\n{"b"')).toEqual([{ a: 1 }]);
  const pieces = [new TextEncoder().encode('1\n2')];
  const body = new ReadableStream<Uint8Array>({
    pull: controller =>
      pieces.length ? controller.enqueue(pieces.shift()!) : controller.error(new TypeError('broken'))
  });
  const found = [];
  for await (const value of readLines(body)) {
    found.push(value);
  }
  expect(found).toEqual([1, 2]);
});
