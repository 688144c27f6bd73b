import { ProxyError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import { checkJsonBody, readBody } from '../http/body.ts'
import type { BodyClaim } from '../http/body-room.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { Exchange } from './exchange.ts'

/**
 * Reads the JSON-RPC messages of a POST request, as bytes.
 *
 * @param form - the body, where it was read for the token that it may hold
 * @throws ProxyError as {@link loadBody}, `media_type_unsupported`, `message_invalid`
 */
export function loadMessages(exchange: Exchange, head: RequestHead, form: string | undefined): Promise<Buffer> | Buffer {
  if (form !== undefined) return readFormMessage(form)
  checkJsonBody(head)
  return loadBody(exchange, head)
}

/**
 * The message that a form holds beside the token. RFC 6750 §2.2 has the token among the parameters of a form; the parameter `message` is
 * ours, since MCP itself posts JSON only.
 */
function readFormMessage(form: string): Buffer {
  const [message, ...more] = new URLSearchParams(form).getAll('message')
  if (message === undefined || more.length > 0)
    throw new ProxyError('message_invalid', { reason: 'batch_not_allowed', cause: 'the form needs exactly one message' })
  return Buffer.from(message)
}

/**
 * Reads the body of a request, in the room that there is for all of them. The room is given back when the answer begins or the request
 * is over.
 *
 * @throws ProxyError `body_too_large`, `body_timeout`, `bodies_limited`, `client_gone`
 */
export function loadBody(exchange: Exchange, head: RequestHead): Promise<Buffer> | Buffer {
  const { request, response, edge } = exchange
  const claimRoom = (bytes: number, onLate: () => void): BodyClaim => {
    const owners = { user: nameUser(exchange), server: exchange.record.server ?? '' }
    const claim = edge.bodyRoom.claim(bytes, owners, onLate)
    const release = (): void => claim.release()
    exchange.releaseBody = release
    return claim
  }
  return readBody({ request, response, limits: edge.limits, clock: edge.clock, claimRoom }, head)
}

/** A user counts once, whatever the client, since clients can register without limit. A caller that is not known yet counts by address. */
export function nameUser({ record: { principal, clientAddress } }: Exchange): string {
  return principal === undefined ? clientAddress : formatUserKey(principal)
}

function formatUserKey({ issuer, subject, clientId }: Principal): string {
  return JSON.stringify(subject === undefined ? [issuer, null, clientId ?? null] : [issuer, subject])
}
