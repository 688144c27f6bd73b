import { ProxyError } from '../../core/errors.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The text of an answer, without loss: encoded again it has the same bytes.
 *
 * @throws ProxyError `answer_unfilterable` for what is not UTF-8: a lenient decoder would replace it, and read something else
 */
export function decodeAnswer(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new ProxyError('answer_unfilterable', { cause: 'not valid UTF-8' })
  }
}
