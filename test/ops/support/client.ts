import { type Agent, request } from 'node:http'

/** What came back for one request, also where it came to no good end. */
export interface Outcome {
  /** 0 where no answer began. */
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  /** Whether the answer ended as a whole one does. */
  readonly isComplete: boolean
  /** Milliseconds from the request to the end of the answer, and to its first piece. */
  readonly ms: number
  readonly firstMs: number | undefined
}

export interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Connections to send it on; one of its own unless given. */
  readonly agent?: Agent
  /** Gives the request up. */
  readonly signal?: AbortSignal
}

/** Sends a request. */
export function send(url: string, { method = 'POST', headers = {}, body, agent, signal }: Sent): Promise<Outcome> {
  const sentAt = performance.now()
  return new Promise((resolve) => {
    const nothing = { status: 0, headers: {}, body: '', isComplete: false, firstMs: undefined }
    const options = { method, agent: agent ?? false, headers: { ...headers, ...lengthOf(body) }, ...(signal && { signal }) }
    const sent = request(url, options, (response) => {
      const chunks: Buffer[] = []
      let firstMs: number | undefined
      response.on('data', (chunk: Buffer) => {
        firstMs ??= performance.now() - sentAt
        chunks.push(chunk)
      })
      response.on('error', () => undefined)
      response.once('close', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: String(Buffer.concat(chunks)),
          isComplete: response.complete,
          ms: performance.now() - sentAt,
          firstMs,
        }),
      )
    })
    sent.once('error', () => resolve({ ...nothing, ms: performance.now() - sentAt }))
    sent.end(body)
  })
}

function lengthOf(body: string | undefined): Record<string, string> {
  if (body === undefined) return {}
  return { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
}

/** A call of a tool as a JSON-RPC request. */
export function formatCall(id: string): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'echo', arguments: { nonce: id } } })
}
