import { Agent, get, type IncomingMessage } from 'node:http'

/** Event streams of many clients. */
export interface OpenStreams {
  /** Number of streams that are still open. */
  countOpen(): number
  /** Number of streams that ended as a whole answer does. */
  countEnded(): number
  /** Number of streams that were cut. */
  countCut(): number
  /** Number of events that came on all of them together. */
  countEvents(): number
  /** Resolves when none is open. */
  readonly over: Promise<void>
  close(): void
}

/**
 * Opens streams, and resolves when each has its answer.
 *
 * @param onEvents - called with what comes on any of them
 * @throws Error when one gets no event stream
 */
export async function openStreams(
  count: number,
  url: string,
  headers: Readonly<Record<string, string>>,
  onEvents: (text: string) => void = () => undefined,
): Promise<OpenStreams> {
  const agent = new Agent({ keepAlive: false, maxSockets: count })
  const found = { open: count, ended: 0, cut: 0, events: 0 }
  const over = Promise.withResolvers<void>()
  const end = (kind: 'ended' | 'cut'): void => {
    found[kind] += 1
    found.open -= 1
    if (found.open === 0) over.resolve()
  }
  await Promise.all(
    Array.from({ length: count }, async () => {
      const stream = await open(url, agent, headers)
      stream.on('data', (chunk) => {
        found.events += String(chunk).split('\n\n').length - 1
        onEvents(String(chunk))
      })
      stream.on('error', () => undefined)
      stream.once('close', () => end(stream.complete ? 'ended' : 'cut'))
    }),
  )
  return {
    countOpen: () => found.open,
    countEnded: () => found.ended,
    countCut: () => found.cut,
    countEvents: () => found.events,
    over: over.promise,
    close: () => agent.destroy(),
  }
}

function open(url: string, agent: Agent, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = get(url, { agent, headers: { accept: 'text/event-stream', ...headers } }, (response) => {
      if (response.statusCode === 200) resolve(response)
      else reject(new Error(`the stream got ${response.statusCode}`))
    })
    asked.on('error', reject)
  })
}
