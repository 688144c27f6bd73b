import type { IncomingMessage } from 'node:http'

/** Longest form, in bytes; ours have a few short fields. */
const MAX_BYTES = 16 * 1024

/**
 * Reads a form that a page of ours sent.
 *
 * @returns undefined when it is something else, or too long
 */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  if (!/^application\/x-www-form-urlencoded(?:$|[ \t]*;)/i.test(request.headers['content-type'] ?? '')) return undefined
  const chunks: Buffer[] = []
  let length = 0
  // Left whole when it is given up: the answer goes the same way.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BYTES) return undefined
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
}
