import { randomUUID } from 'node:crypto'
import { formatAccountQuestion } from '../core/account-question.ts'
import { jsonRpcCodeOf, ProxyError } from '../core/errors.ts'
import type { RoutedCall } from '../core/route.ts'
import type { OwnAccountCredential } from '../core/upstream-credential.ts'
import { chooseWay, formatAccountAnswer } from '../mcp/account-question.ts'
import type { Exchange } from './exchange.ts'

/**
 * The refusal of a call whose user has to connect an account, or to connect it with more scopes, with the question for the user.
 *
 * @param refusal - `account_required`
 */
export function askForAccount(refusal: ProxyError, call: RoutedCall, credential: OwnAccountCredential): ProxyError {
  const { reason, scopes = [], cause } = refusal
  const url = credential.formatLink(call.principal, scopes)
  return new ProxyError('account_required', {
    reason: reason === 'scopes_missing' ? reason : 'not_connected',
    cause,
    account: { server: call.route.server, url, way: chooseWay(call) },
  })
}

/**
 * Answers requests whose user has to connect an account, in the way that their client can show. An error of HTTP would be one of the
 * transport to most clients, which then show nothing of its body.
 *
 * @returns false for what is no request, and has no answer
 */
export function answerAccountRequired(exchange: Exchange, { code, account }: ProxyError): boolean {
  const { response, record, isBatch, answerHeaders } = exchange
  const requests = record.operations.filter(({ kind, id }) => kind === 'request' && id !== undefined)
  if (account === undefined || requests.length === 0) return false
  const message = `${formatAccountQuestion(account)} Open this link: ${account.url}`
  const data = { error: code, url: account.url, request_id: record.requestId }
  const error = JSON.stringify({ code: jsonRpcCodeOf(code), message, data })
  const byId = new Map(requests.map((operation) => [operation.id, operation]))
  const answers = [...byId.values()].map((operation) => formatAccountAnswer(account, operation, randomUUID(), error))
  const body = isBatch ? `[${answers.join(',')}]` : (answers[0] ?? '')
  response.writeHead(200, {
    'x-request-id': record.requestId,
    ...answerHeaders,
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-length': String(Buffer.byteLength(body)),
  })
  response.end(body)
  return true
}
