import type { ChildMessage } from '../wire/child-messages.ts'
import { formatError, formatPong } from '../wire/json-responses.ts'
import type { Channel } from './multiplexed-channel.ts'

/** Answers the request of a server that has no client to ask: answers `ping`, rejects everything else. */
export function answerServerRequest(channel: Channel, { id, method }: ChildMessage): void {
  const json = JSON.stringify(id)
  const isPing = method === 'ping'
  tellQuietly(
    channel,
    isPing ? formatPong(json) : formatError(json, -32601, `No client can be asked for ${method.slice(0, 100)}`),
  )
}

/** Sends a message that may be lost. A process that is gone or has stopped reading fails its requests anyway. */
export function tellQuietly(channel: Channel, text: string): void {
  try {
    channel.tell(text)
  } catch {
    // Nothing is lost.
  }
}
