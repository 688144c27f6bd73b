import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A response, read without any help of node:http. */
export interface RawResponse {
  readonly status: number
  readonly reason: string
  /** In the order of arrival, names as sent. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The value of a header, by any case of its name; the values joined by `, ` when it was sent more than once. */
  header(name: string): string | undefined
  /** Framing removed: chunks are put together. */
  readonly body: Buffer
}

export interface RawConnection {
  readonly socket: Socket
  /** Every byte that came back until now. */
  received(): Buffer
  /** Sends exactly these bytes. */
  write(bytes: string | Buffer): void
  /** Sends bytes one by one, each in a packet of its own as far as the system lets. */
  drip(bytes: string | Buffer): Promise<void>
  /**
   * Reads the next response to its end; informational ones (1xx) are passed over.
   *
   * @param options.method - of the request: a response to HEAD has no body
   * @throws Error when the connection ends before the response does, with the bytes that came
   */
  readResponse(options?: { method?: string }): Promise<RawResponse>
  /** Reads the head of the next response and leaves the body where it is. */
  readHead(): Promise<Omit<RawResponse, 'body'>>
  /** Waits until these bytes have come. */
  waitFor(bytes: string): Promise<void>
  /** Resolves when the other side has closed the connection. */
  readonly closed: Promise<void>
  end(): void
  destroy(): void
}

/**
 * Opens a connection that sends exactly what it is told and reads what comes, however wrong.
 *
 * @throws Error when nothing listens there
 */
export async function openRawConnection(port: number, host = '127.0.0.1'): Promise<RawConnection> {
  const socket = connect({ port, host, noDelay: true })
  const arrival = new EventEmitter()
  let received = Buffer.alloc(0)
  let position = 0
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    arrival.emit('more')
  })
  // A reset is an end like any other here: what came before it counts.
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.once('close', () => arrival.emit('more'))
  await Promise.race([new Promise<void>((resolve) => socket.once('connect', resolve)), closed])
  if (socket.destroyed) throw new Error(`nothing listens at ${host} port ${port}`)

  /** Waits until `look` finds something in the bytes that are not yet read. */
  async function read<T>(look: (bytes: Buffer, isOver: boolean) => { value: T; length: number } | undefined): Promise<T> {
    for (;;) {
      const found = look(received.subarray(position), socket.destroyed || socket.readableEnded)
      if (found !== undefined) {
        position += found.length
        return found.value
      }
      if (socket.destroyed) throw new Error(`the connection ended in the middle: ${JSON.stringify(received.toString('latin1'))}`)
      await once(arrival, 'more')
    }
  }

  const readHead = () => read(parseHead)

  return {
    socket,
    received: () => received,
    write: (bytes) => void socket.write(bytes),
    drip: async (bytes) => {
      for (const byte of Buffer.from(bytes)) {
        if (!socket.write(Buffer.of(byte))) await once(socket, 'drain')
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    readHead,
    readResponse: async ({ method = 'GET' } = {}) => {
      let head = await readHead()
      while (head.status < 200) head = await readHead()
      return { ...head, body: await read(chooseFraming(head, method)) }
    },
    waitFor: (bytes) =>
      read((_unread, isOver) => (received.includes(bytes) ? { value: undefined, length: 0 } : failIf(isOver, bytes))),
    closed,
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  }
}

/**
 * Sends exactly these bytes on a connection of their own and reads one response.
 *
 * @param port - on 127.0.0.1
 */
export async function sendRaw(port: number, bytes: string | Buffer): Promise<RawResponse> {
  const connection = await openRawConnection(port)
  try {
    connection.write(bytes)
    return await connection.readResponse({ method: Buffer.from(bytes).toString('latin1').split(' ')[0] ?? '' })
  } finally {
    connection.destroy()
  }
}

function failIf(isOver: boolean, bytes: string): undefined {
  if (isOver) throw new Error(`the connection ended before this came: ${JSON.stringify(bytes)}`)
}

type Head = Omit<RawResponse, 'body'>

function parseHead(bytes: Buffer): { value: Head; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [statusLine = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const [, status, reason = ''] = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(statusLine) ?? []
  if (status === undefined) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`)
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  return { value: { status: Number(status), reason, headers, header: (name) => findHeader(headers, name) }, length: end + 4 }
}

function findHeader(headers: readonly (readonly [string, string])[], name: string): string | undefined {
  const values = headers.filter(([candidate]) => candidate.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}

type Framing = (bytes: Buffer, isOver: boolean) => { value: Buffer; length: number } | undefined

/** How the body ends (RFC 9112 §6.3). */
function chooseFraming(head: Head, method: string): Framing {
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return () => ({ value: Buffer.alloc(0), length: 0 })
  if (head.header('transfer-encoding')?.toLowerCase() === 'chunked') return parseChunks
  const length = head.header('content-length')
  if (length === undefined) return (bytes, isOver) => (isOver ? { value: bytes, length: bytes.length } : undefined)
  const wanted = Number(length)
  return (bytes) => (bytes.length < wanted ? undefined : { value: bytes.subarray(0, wanted), length: wanted })
}

function parseChunks(bytes: Buffer): { value: Buffer; length: number } | undefined {
  const chunks: Buffer[] = []
  let position = 0
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', position)
    if (lineEnd < 0) return undefined
    const line = bytes.subarray(position, lineEnd).toString('latin1')
    if (!/^[0-9a-f]+(;|$)/i.test(line)) throw new Error(`not a chunk: ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    const next = lineEnd + 2 + size + 2
    if (bytes.length < next) return undefined
    if (size === 0) return { value: Buffer.concat(chunks), length: next }
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    position = next
  }
}
