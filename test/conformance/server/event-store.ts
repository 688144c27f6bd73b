import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server'

/** Keeps the events of one MCP session, so that a stream can be taken up again where it broke off. */
export function createEventStore(): EventStore {
  const events: { readonly stream: string; readonly message: JSONRPCMessage }[] = []
  const find = (id: string) => events[Number(id)]
  return {
    storeEvent: async (stream, message) => String(events.push({ stream, message }) - 1),
    getStreamIdForEventId: async (id) => find(id)?.stream,
    replayEventsAfter: async (lastId, { send }) => {
      const stream = find(lastId)?.stream ?? ''
      for (const [id, event] of events.entries()) {
        if (id > Number(lastId) && event.stream === stream && isMessage(event.message)) await send(String(id), event.message)
      }
      return stream
    },
  }
}

/** The event that only opens a stream carries no message. */
function isMessage(message: JSONRPCMessage): boolean {
  return Object.keys(message).length > 0
}
