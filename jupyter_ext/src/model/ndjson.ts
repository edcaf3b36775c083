/** Reader of newline-delimited JSON that arrives in pieces. */

const BROKEN: ReadableStreamReadResult<Uint8Array> = { done: true, value: undefined };

/** Yield the values in a stream of bytes, one a line; a line may arrive in any number of pieces. A lost connection ends
 * the stream like a closed one, and the rest of an incomplete line is dropped. */
export async function* readLines<T>(body: ReadableStream<Uint8Array>): AsyncGenerator<T> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => BROKEN);
      const pieces = decoder.decode(value, { stream: !done }).split('\n');
      for (const piece of pieces.slice(0, -1)) {
        const line = [...rest, piece].join('');
        rest = [];
        if (line.trim()) {
          yield JSON.parse(line) as T;
        }
      }
      rest.push(pieces[pieces.length - 1]);
      if (done) {
        break;
      }
    }
    yield* lastValue<T>(rest.join(''));
  } finally {
    // Leaving the loop early closes the connection, and the server cancels the question.
    await reader.cancel().catch(() => undefined);
  }
}

/** Return the value of a last line without a line end; none if the line is incomplete. */
function lastValue<T>(line: string): T[] {
  try {
    return line.trim() ? [JSON.parse(line) as T] : [];
  } catch {
    return [];
  }
}
