import type { ChildMessage } from '../wire/child-messages.ts'
import { formatError, formatPong } from '../wire/json-responses.ts'
import type { Channel } from './multiplexed-channel.ts'

/** Answers what a server asks of a client that it doesn't have: it lives, and can nothing. */
export function refuseServerRequest(channel: Channel, { id, method }: ChildMessage): void {
  const json = JSON.stringify(id)
  try {
    if (method === 'ping') channel.tell(formatPong(json))
    else channel.tell(formatError(json, -32601, `No client can be asked for ${method.slice(0, 100)}`))
  } catch {
    // A child that doesn't read can't be answered.
  }
}
