import { ProxyError } from '../core/errors.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { Edge } from './edge.ts'

/**
 * Load balancers ask for health in HTTP/1.0 and without a host (HAProxy's `option httpchk GET /healthz`). All else is served by name.
 *
 * @throws ProxyError `request_malformed`, `host_denied`
 */
export function checkHost({ hosts }: Edge, { host }: RequestHead): void {
  if (host === '') throw new ProxyError('request_malformed', { reason: 'host_invalid', cause: 'Host is missing' })
  if (hosts && !hosts.has(host)) throw new ProxyError('host_denied', { cause: `Host ${JSON.stringify(host)}` })
}
