/** Newline-delimited JSON, read as it arrives. */

/** The values in a stream of bytes, one a line; a line may come in any number of pieces. */
export async function* readLines<T>(body: ReadableStream<Uint8Array>): AsyncGenerator<T> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
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
    const last = rest.join('');
    if (last.trim()) {
      yield JSON.parse(last) as T;
    }
  } finally {
    // Leaving the loop early gives the connection up, and the server withdraws the question.
    await reader.cancel().catch(() => undefined);
  }
}
