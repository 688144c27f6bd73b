import { closeSync, openSync, readSync } from 'node:fs'
import { explainReadError } from '../config/source/read-failure.ts'
import { capitalize } from '../core/sentence.ts'
import { UsageError } from './usage-error.ts'

/** Longer ones are refused by every server, too. */
const MAX_BYTES = 16 * 1024

/**
 * Reads an access token, or an access key.
 *
 * @param from - name of a file, or `-` for standard input
 * @param what - what is asked for, to tell where it is missing
 * @throws UsageError which never holds what was read
 */
export function readToken(from: string, what: 'token' | 'key' = 'token'): string {
  const place = from === '-' ? 'standard input' : 'the file of --token'
  const token = readStart(from, place)
    .trim()
    .replace(/^Bearer +/i, '')
  if (token === '') throw new UsageError(`${capitalize(place)} has no ${what} in it.${from === '-' ? ` ${REMEDY}` : ''}`)
  if (/\s/.test(token)) throw new UsageError(`${capitalize(place)} has more than one ${what} in it, or something else.`)
  return token
}

const REMEDY = 'Pipe it in, or name a file with --token FILE.'

function readStart(from: string, place: string): string {
  const bytes = Buffer.alloc(MAX_BYTES + 1)
  let length = 0
  try {
    const file = from === '-' ? 0 : openSync(from, 'r')
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(file, bytes, length, bytes.length - length, null)
    if (from !== '-') closeSync(file)
  } catch (error) {
    throw new UsageError(
      `${capitalize(place)} cannot be read (${explainReadError(error)}). --token takes the name of a file, or - for standard input.`,
    )
  }
  if (length > MAX_BYTES) throw new UsageError(`${capitalize(place)} is longer than 16 KiB, which no token or key is.`)
  return bytes.toString('utf8', 0, length)
}
