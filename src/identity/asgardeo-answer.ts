import { isObject } from '../core/is-object.ts'
import { checkStrictJson } from '../core/json/strict-json.ts'
import type { RawAnswer } from '../oauth/safe-fetch.ts'

/** An answer of Asgardeo. Creations have no body, and some refusals neither. */
export interface AsgardeoAnswer {
  readonly status: number
  readonly location: string | undefined
  /** The JSON object in the body; undefined when it holds something else, or nothing. */
  readonly document: Readonly<Record<string, unknown>> | undefined
}

const MAX_DEPTH = 32
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function readAnswer({ status, headers, bytes }: RawAnswer): AsgardeoAnswer {
  return { status, location: headers.location, document: parseObject(bytes) }
}

function parseObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const text = utf8.decode(bytes)
    checkStrictJson(text, MAX_DEPTH)
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    // The caller reports a missing document; error pages are HTML and ignored.
    return undefined
  }
}
