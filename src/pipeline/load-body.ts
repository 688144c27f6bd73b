import type { Principal } from '../core/principal.ts'
import { readBody } from '../http/body.ts'
import type { BodyClaim } from '../http/body-room.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { Exchange } from './exchange.ts'

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
    exchange.releaseBody = () => claim.release()
    return claim
  }
  return readBody({ request, response, limits: edge.limits, claimRoom }, head)
}

/** One user is one whatever the client: anybody may register more of those. Who isn't known yet is where they come from. */
function nameUser({ record: { principal, remoteAddress } }: Exchange): string {
  return principal === undefined ? remoteAddress : formatUserKey(principal)
}

function formatUserKey({ issuer, subject, clientId }: Principal): string {
  return JSON.stringify(subject === undefined ? [issuer, null, clientId ?? null] : [issuer, subject])
}
