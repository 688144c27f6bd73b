import { type AccountQuestion, formatAccountQuestion } from '../core/account-question.ts'
import type { Call } from '../core/call.ts'
import { isObject } from '../core/is-object.ts'
import { applyEdits, replaceAt } from '../core/json/json-edits.ts'
import { type Outline, outlineShallow } from '../core/json/shallow-outline.ts'
import type { Operation } from '../core/operation.ts'
import { isModernRevision } from './revision.ts'

/** Names our question among those of an input-required result; the client's answer to it comes back under the same name. */
const QUESTION_KEY = 'omap_account'
const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities'
/** "Servers MUST NOT send InputRequiredResult responses on any other client requests" (2026-07-28, basic/patterns/mrtr, Supported Requests). */
const MAY_NEED_INPUT = new Set(['tools/call', 'prompts/get', 'resources/read'])
/** The first revision with it, and the last (2026-07-28, changelog). */
const REVISION_OF_ELICITATION_ERROR = '2025-11-25'
const URL_ELICITATION_REQUIRED = -32042

/** A longer body would take too long to read: it is never answered with an input request, so it holds no answer to one. */
const MAX_READ_BYTES = 64 * 1024

type Asked = Pick<Call, 'operations' | 'revision' | 'isBatch' | 'declared' | 'body'>

/** How a client can be asked to have its user open a link. */
export function chooseWay({ operations, revision, isBatch, declared, body }: Asked): AccountQuestion['way'] {
  const [{ method } = { method: '' }] = operations
  if (isBatch || method === 'initialize') return 'text'
  if (!isModernRevision(revision))
    return revision === REVISION_OF_ELICITATION_ERROR && declared.urlElicitation ? 'elicitation_error' : 'text'
  const isReadable = body !== undefined && body.length <= MAX_READ_BYTES
  const params = MAY_NEED_INPUT.has(method) && isReadable ? readParams(body) : {}
  return declaresUrlElicitation(params) && !wasDeclined(params) ? 'input_request' : 'text'
}

type Json = Readonly<Record<string, unknown>>

/** The body was read before, in exactly one way. */
function readParams(body: Buffer): Json {
  const message: unknown = JSON.parse(body.toString())
  return isObject(message) && isObject(message.params) ? message.params : {}
}

/** `elicitation.url` of the capabilities that each request repeats (2026-07-28, client/elicitation, Capabilities). */
function declaresUrlElicitation({ _meta: meta }: Json): boolean {
  const capabilities = isObject(meta) ? meta[CAPABILITIES_KEY] : undefined
  const elicitation = isObject(capabilities) ? capabilities.elicitation : undefined
  return isObject(elicitation) && isObject(elicitation.url)
}

/** A user who has said no is not asked the same again. */
function wasDeclined({ inputResponses }: Json): boolean {
  const answer = isObject(inputResponses) ? inputResponses[QUESTION_KEY] : undefined
  return isObject(answer) && answer.action !== 'accept'
}

/**
 * The answer to a request whose user has to connect an account first, in JSON.
 *
 * @param elicitationId - unique for this question (2025-11-25, client/elicitation)
 */
export function formatAccountAnswer(question: AccountQuestion, { id }: Operation, elicitationId: string, error: string): string {
  const { url, way } = question
  const params = { mode: 'url', message: formatAccountQuestion(question), url }
  const inputRequests = { [QUESTION_KEY]: { method: 'elicitation/create', params } }
  switch (way) {
    case 'input_request':
      return `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify({ resultType: 'input_required', inputRequests })}}`
    case 'elicitation_error': {
      const data = { elicitations: [{ ...params, elicitationId }] }
      return `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify({ code: URL_ELICITATION_REQUIRED, message: params.message, data })}}`
    }
    case 'text':
      return `{"jsonrpc":"2.0","id":${id},"error":${error}}`
  }
}

/** A body without the client's answer to our question, of which the MCP server knows nothing. Everything else stays as it is, byte for byte. */
export function withoutAccountAnswer(body: Buffer): Buffer {
  if (body.length > MAX_READ_BYTES || !body.includes(QUESTION_KEY)) return body
  const text = body.toString()
  const responses = outlineShallow(text, 3).members?.get('params')?.members?.get('inputResponses')
  if (responses?.members?.has(QUESTION_KEY) !== true) return body
  return Buffer.from(applyEdits(text, [replaceAt(responses, formatRest(text, responses))]))
}

function formatRest(text: string, { members }: Outline): string {
  const rest = [...(members ?? [])].filter(([name]) => name !== QUESTION_KEY)
  return `{${rest.map(([name, value]) => `${JSON.stringify(name)}:${text.slice(value.start, value.end)}`).join(',')}}`
}
