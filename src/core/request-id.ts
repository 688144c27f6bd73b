import { randomBytes } from 'node:crypto'

/**
 * Request ids are unique for the log, not secret: a prefix of the process and a counter cost next to nothing. None begins with a dash, which
 * command lines would take for a flag.
 */
const PROCESS_PREFIX = randomBytes(6).toString('hex')
let counter = 0

export function createRequestId(): string {
  counter = (counter + 1) % Number.MAX_SAFE_INTEGER
  return `${PROCESS_PREFIX}-${counter.toString(36)}`
}
