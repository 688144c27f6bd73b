import type { Message } from '../../../support/mcp-requests.ts'
import type { Outcome } from '../client.ts'

/**
 * What became of a request, as its client can tell.
 *
 * - `right`: a whole answer with the id and the content that belong to the request.
 * - `refused`: a whole answer that says that the request was not served, which is any status from 400 on with what its transport has for it: a JSON-RPC
 *   error with the id of the request, or one without an id where the body was not read ("The HTTP response body MAY comprise a JSON-RPC error
 *   response that has no id", 2025-11-25, basic/transports). 401 has a challenge (RFC 6750 §3). 404 for a session has its client begin a new one.
 * - `broken`: the connection ended before the answer did. HTTP lets a client know (RFC 9112 §8), and both SDKs fail the call. Whether the call was carried out is
 *   open, so that only the client may repeat it (RFC 9110 §9.2.2). Permitted only while something on its way was disturbed; otherwise it counts as lost.
 * - `lost`: no answer that a client would understand or repeat: nothing at all for as long as clients wait, or an answer that ends as a whole
 *   one without the response in it.
 * - `wrong`: the answer to another request, of another user, or one that is no answer.
 */
export type Verdict = 'right' | 'refused' | 'broken' | 'lost' | 'wrong'

/** Both SDKs give a call up after that long, by default. */
export const CLIENT_WAITS_MS = 60_000

/** @param expected - by id, the text of each response */
export function judge(outcome: Outcome, expected: ReadonlyMap<unknown, string>): Verdict {
  if (!outcome.isComplete) return outcome.ms >= CLIENT_WAITS_MS ? 'lost' : 'broken'
  const messages = parseMessages(outcome)
  if (messages === undefined) return outcome.status >= 400 ? 'refused' : 'wrong'
  if (outcome.status >= 400) return isRefusal(outcome, messages, expected) ? 'refused' : 'wrong'
  const answers = messages.filter(({ method }) => method === undefined)
  if (answers.length < expected.size) return 'lost'
  const verdicts = answers.map((answer) => judgeAnswer(answer, expected))
  if (verdicts.includes('wrong') || new Set(answers.map(({ id }) => id)).size < answers.length) return 'wrong'
  return verdicts.includes('refused') ? 'refused' : 'right'
}

function judgeAnswer({ id, result, error }: Message, expected: ReadonlyMap<unknown, string>): Verdict {
  if (!expected.has(id)) return 'wrong'
  if (error !== undefined) return 'refused'
  return result?.content?.[0]?.text === expected.get(id) ? 'right' : 'wrong'
}

function isRefusal({ status, headers }: Outcome, messages: readonly Message[], expected: ReadonlyMap<unknown, string>): boolean {
  if (status === 401 && headers['www-authenticate'] === undefined) return false
  return messages.every(({ id, error }) => error !== undefined && (id === undefined || id === null || expected.has(id)))
}

/** Undefined where the body is neither JSON-RPC nor an event stream of it. */
function parseMessages({ headers, body }: Outcome): Message[] | undefined {
  try {
    if (String(headers['content-type']).startsWith('text/event-stream')) return readEvents(body).map((data) => JSON.parse(data))
    return [JSON.parse(body)].flat()
  } catch {
    return undefined
  }
}

/** The data of all events that have some. */
export function readEvents(body: string): string[] {
  return body.split('\n').flatMap((line) => (line.startsWith('data: ') && line.length > 6 ? [line.slice(6)] : []))
}
