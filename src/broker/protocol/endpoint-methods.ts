import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { EndpointHandler, EndpointRequest } from '../../core/endpoint-request.ts'
import { readForm } from '../../core/read-form.ts'

const { authorization, jwks, token, registration, revocation, introspection } = BROKER_PATHS.provider

const FORM = ['POST', 'OPTIONS']
const DOCUMENT = ['GET', 'HEAD', 'OPTIONS']

const METHODS: Readonly<Record<string, readonly string[]>> = {
  [authorization]: ['GET', 'HEAD', 'POST'],
  [token]: FORM,
  [registration]: FORM,
  [revocation]: FORM,
  [introspection]: FORM,
  [jwks]: DOCUMENT,
}

/** Lets pages of any origin read the answers of an endpoint; not those of the one that people visit (RFC 9700 §2.6). */
export function formatCors(path: string): Record<string, string> {
  const isVisited = path === authorization || path.startsWith(`${authorization}/`)
  return isVisited ? {} : { 'access-control-allow-origin': '*' }
}

/** Answers 405 with `Allow` to methods that the endpoint does not support (RFC 9110 §15.5.6). */
export function holdToMethods(handle: EndpointHandler, methods?: readonly string[]): EndpointHandler {
  return (incoming) => {
    const allowed = methods ?? METHODS[incoming.path] ?? DOCUMENT
    if (allowed.includes(incoming.request.method ?? '')) return handle(incoming)
    const headers = { allow: allowed.join(', '), 'content-length': 0, ...formatCors(incoming.path) }
    incoming.response.writeHead(405, headers).end()
  }
}

/** Longest query to redirect to; it fits into a header section. */
const MAX_CHARACTERS = 8 * 1024

/** An authorization request may be posted as a form (RFC 6749 §3.1): the browser is redirected to the same request as a query. */
export async function redirectFormToQuery(incoming: EndpointRequest): Promise<void> {
  const { request, response } = incoming
  const form = await readForm(request).catch(() => undefined)
  const query = [(request.url ?? '').split('?')[1] ?? '', String(form ?? '')].filter((part) => part !== '').join('&')
  if (form === undefined || query.length > MAX_CHARACTERS) {
    incoming.note('authorization_refused', 'invalid_request: the body is not a form, or too long')
    const body = JSON.stringify({ error: 'invalid_request', error_description: 'the body must be a short form' })
    response.writeHead(400, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(body)
    return
  }
  response.writeHead(303, { location: `${authorization}?${query}`, 'cache-control': 'no-store', 'content-length': 0 }).end()
}
