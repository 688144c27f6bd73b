// Preloaded (`node --import`) into the conformance suite, which has no option for an access token. Adds one to every request that goes
// to the proxy, in each of the three ways in which the suite sends requests: fetch and undici (both ask undici's global dispatcher)
// and node:http. Nothing else about the requests changes.
import http, { type RequestOptions } from 'node:http'
import { createRequire } from 'node:module'
import type { Dispatcher } from 'undici'

const { CONFORMANCE_TOKEN: token, CONFORMANCE_ORIGIN: origin, CONFORMANCE_UNDICI: undiciPath } = process.env
if (token === undefined || origin === undefined || undiciPath === undefined)
  throw new Error('nothing to add, or nowhere to add it')
const credentials = `Bearer ${token}`
const { host, hostname, port } = new URL(origin)

// The suite's own copy: the global dispatcher must be one of the versions that asks for it.
const { Agent, setGlobalDispatcher } = createRequire(import.meta.url)(undiciPath) as typeof import('undici')
const addToken: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) =>
  dispatch(String(options.origin) === origin ? { ...options, headers: addHeader(options.headers) } : options, handler)
setGlobalDispatcher(new Agent().compose(addToken))

const { request } = http
http.request = ((options: RequestOptions, ...more: []) => {
  const isOurs = options.host === host || ((options.hostname ?? options.host) === hostname && String(options.port) === port)
  // By name, never as a list: with a list, node:http leaves Host out.
  const headers = { ...(options.headers as Record<string, string>), authorization: credentials }
  return request(isOurs ? { ...options, headers } : options, ...more)
}) as typeof http.request

/** Headers come as pairs, as a flat list, or by name. */
function addHeader(headers: unknown): string[] {
  const flat = flatten(headers)
  const isPresent = flat.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization')
  return isPresent ? flat : [...flat, 'authorization', credentials]
}

function flatten(headers: unknown): string[] {
  if (headers === null || headers === undefined) return []
  if (Array.isArray(headers)) return headers.flat().map(String)
  const pairs = Symbol.iterator in Object(headers) ? (headers as Iterable<[string, unknown]>) : Object.entries(headers as object)
  return [...pairs].flatMap(([name, value]) => [value].flat().flatMap((one) => [name, String(one)]))
}
