import { closeSync, openSync, readSync } from 'node:fs'
import { FileTooLongError } from './read-failure.ts'

/**
 * Reads a file of UTF-8 text.
 *
 * @param path - a file, or something else that can be read to its end
 * @param maxBytes - the file is refused if it is longer
 * @throws Error when it cannot be read
 */
export function readBoundedText(path: string, maxBytes: number): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(readBoundedFile(path, maxBytes))
}

/**
 * Reads a file to its end. See {@link readBoundedText}.
 *
 * @throws Error when it cannot be read
 */
export function readBoundedFile(path: string, maxBytes: number): Buffer {
  const handle = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(maxBytes + 1)
    let length = 0
    for (;;) {
      const count = readSync(handle, bytes, length, bytes.length - length, null)
      if (count === 0) break
      length += count
      if (length > maxBytes) throw new FileTooLongError(maxBytes)
    }
    return bytes.subarray(0, length)
  } finally {
    closeSync(handle)
  }
}
