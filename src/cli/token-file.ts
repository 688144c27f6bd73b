import { closeSync, openSync, readSync } from 'node:fs'
import { UsageError } from './usage-error.ts'

/** Longer ones are refused by every server, too. */
const MAX_BYTES = 16 * 1024

/**
 * Reads an access token.
 *
 * @param from - name of a file, or `-` for standard input
 * @throws UsageError which never holds what was read
 */
export function readToken(from: string): string {
  const token = readStart(from)
    .trim()
    .replace(/^Bearer +/i, '')
  if (token === '') throw new UsageError('--token: the file contains no token.')
  if (/\s/.test(token)) throw new UsageError('--token: the file contains more than one token.')
  return token
}

function readStart(from: string): string {
  const bytes = Buffer.alloc(MAX_BYTES + 1)
  let length = 0
  try {
    const file = from === '-' ? 0 : openSync(from, 'r')
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(file, bytes, length, bytes.length - length, null)
    if (from !== '-') closeSync(file)
  } catch (error) {
    throw new UsageError(
      `--token: cannot be read (${error instanceof Error && 'code' in error ? error.code : 'unknown error'}). It takes the name of a file, or - for standard input.`,
    )
  }
  if (length > MAX_BYTES) throw new UsageError('--token: more than 16 KiB, which no token has.')
  return bytes.toString('utf8', 0, length)
}
