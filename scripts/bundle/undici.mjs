// What the command uses of undici. The package's own entry loads its `fetch`, caches, mocks and WebSockets as well, and with them the
// copy of undici that Node has.
import { request as send } from 'undici/lib/api/index.js'
import buildConnector from 'undici/lib/core/connect.js'
import errors from 'undici/lib/core/errors.js'
import { parseURL } from 'undici/lib/core/util.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import Client from 'undici/lib/dispatcher/client.js'

export { Agent, buildConnector, Client, errors }

/** As undici's own, with a dispatcher and a method. */
export function request(url, { dispatcher, ...options }) {
  const { origin, pathname, search } = parseURL(url)
  return send.call(dispatcher, { ...options, origin, path: `${pathname}${search}` })
}
