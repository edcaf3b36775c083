/** Newline-delimited JSON, read as it arrives. */

const BROKEN: ReadableStreamReadResult<Uint8Array> = { done: true, value: undefined };

/** The values in a stream of bytes, one a line; a line may come in any number of pieces. A connection that breaks ends
 * the stream like one that is closed, and what is left of a line that it cut is no value. */
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
    yield* whole<T>(rest.join(''));
  } finally {
    // Leaving the loop early gives the connection up, and the server withdraws the question.
    await reader.cancel().catch(() => undefined);
  }
}

/** The value of a last line that nothing ends; none if it was cut. */
function whole<T>(line: string): T[] {
  try {
    return line.trim() ? [JSON.parse(line) as T] : [];
  } catch {
    return [];
  }
}
