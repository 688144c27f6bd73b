import { Buffer } from 'node:buffer'
import { jsonRpcCodeOf, type ProxyError } from '../../../core/errors.ts'
import type { Reply, ReplyHeaders } from '../../../core/reply.ts'
import type { ClientMessage } from './client-messages.ts'

/** Answers with a status and no body. */
export function sendStatus(reply: Reply, status: number, headers: ReplyHeaders = {}): void {
  reply.start(status, { 'content-length': '0', 'cache-control': 'no-store', ...headers })
  reply.end()
}

/** Answers with a JSON document. */
export function sendJson(reply: Reply, status: number, text: string, headers: ReplyHeaders = {}): void {
  const body = Buffer.from(text)
  reply.start(status, {
    'content-type': 'application/json',
    'content-length': String(body.length),
    'cache-control': 'no-store',
    ...headers,
  })
  reply.write(body)
  reply.end()
}

/**
 * A JSON-RPC error object as text.
 *
 * @param id - in JSON; left out where there is none
 * @param data - more about it
 */
export function formatError(id: string | undefined, code: number, message: string, data?: unknown): string {
  const more = data === undefined ? '' : `,"data":${JSON.stringify(data)}`
  const member = id === undefined ? '' : `"id":${id},`
  return `{"jsonrpc":"2.0",${member}"error":{"code":${code},"message":${JSON.stringify(message)}${more}}}`
}

/** The answer to what one client must not have of a process that serves others, too. */
export function formatNotShared({ idKey, method }: ClientMessage): string {
  return formatError(idKey, -32601, `Method not found: ${method} cannot be had from a server that all clients share`)
}

/** The answer to a `ping`. @param id - in JSON */
export function formatPong(id: string): string {
  return `{"jsonrpc":"2.0","id":${id},"result":{}}`
}

/** A refusal as a JSON-RPC error object, in the form that the pipeline gives to it. */
export function formatRefusal(id: string, error: ProxyError): string {
  return formatError(id, jsonRpcCodeOf(error.code), error.message, { error: error.code })
}
