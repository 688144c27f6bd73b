/** One JSON-RPC message, as tests read it. */
export interface Message {
  readonly id?: unknown
  readonly method?: string
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into whatever came
  readonly params?: any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  readonly result?: any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  readonly error?: any
}

/** One event of an event stream. */
export interface StreamEvent {
  readonly id: string | undefined
  readonly name: string | undefined
  readonly data: string
}

export interface McpRequest {
  readonly method?: string
  readonly user?: string
  readonly session?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly accept?: string
  readonly signal?: AbortSignal
}

/** Sends one HTTP request as an MCP client would, with nothing in between. Strings and bytes go out as they are. */
export function sendMcp(url: string, { method = 'POST', user = 'alice', session, headers, body, accept, signal }: McpRequest) {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  return fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${user}`,
      accept: accept ?? 'application/json, text/event-stream',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(session === undefined ? {} : { 'mcp-session-id': session }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
}

/** Every event of a stream as it comes. */
export async function* readEvents(response: Response): AsyncGenerator<StreamEvent> {
  let held = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    held += decoder.decode(chunk, { stream: true })
    for (let end = held.indexOf('\n\n'); end >= 0; end = held.indexOf('\n\n')) {
      const block = held.slice(0, end)
      held = held.slice(end + 2)
      const event = parseEvent(block)
      if (event) yield event
    }
  }
}

function parseEvent(block: string): StreamEvent | undefined {
  const fields = block
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trimStart()])
  const find = (name: string) => fields.find(([field]) => field === name)?.[1]
  const data = find('data')
  return data === undefined ? undefined : { id: find('id'), name: find('event'), data }
}

/** Every message of an answer, be it JSON or a stream; a batch counts as its members. */
export async function readMessages(response: Response): Promise<Message[]> {
  const type = response.headers.get('content-type') ?? ''
  if (type.includes('text/event-stream')) {
    const messages: Message[] = []
    for await (const { data } of readEvents(response)) if (data !== '') messages.push(JSON.parse(data))
    return messages
  }
  const text = await response.text()
  return text === '' ? [] : [JSON.parse(text)].flat()
}

/** The last message of an answer: the response. */
export async function readAnswer(response: Response | Promise<Response>): Promise<Message> {
  const messages = await readMessages(await response)
  return messages.at(-1) ?? {}
}

/** Text of the first content of a tool's answer. */
export function textOf(message: Message): string {
  return message.result?.content?.[0]?.text ?? JSON.stringify(message)
}

/**
 * For tests that look at the status of an answer which a process is waited for: one that may be an event stream begins as such after a second,
 * with status 200, whatever the response will be.
 */
export const onlyJson = { accept: 'application/json' } as const

let lastId = 0

export function createRequest(method: string, params: Record<string, unknown> = {}, id: string | number = ++lastId) {
  return { jsonrpc: '2.0', id, method, params }
}

export function createToolCall(
  name: string,
  args: Record<string, unknown> = {},
  meta?: Record<string, unknown>,
  id?: string | number,
) {
  return createRequest('tools/call', { name, arguments: args, ...(meta === undefined ? {} : { _meta: meta }) }, id)
}

/** An MCP session of a revision before 2026-07-28. */
export interface LegacySession {
  readonly id: string
  readonly user: string
  /** The answer to `initialize`. */
  readonly opened: Message
  post(body: unknown, more?: McpRequest): Promise<Response>
  /** Calls a tool of the scripted server, and reads the text that it answers with. */
  call(name: string, args?: Record<string, unknown>): Promise<string>
  get(more?: McpRequest): Promise<Response>
  end(): Promise<Response>
}

/** Opens an MCP session. */
export async function openSession(
  origin: string,
  { user = 'alice', revision = '2025-11-25', capabilities = {} as Record<string, unknown> } = {},
): Promise<LegacySession> {
  const url = `${origin}/mcp`
  const params = { protocolVersion: revision, capabilities, clientInfo: { name: 'test', version: '1' } }
  const response = await sendMcp(url, { user, body: createRequest('initialize', params) })
  const opened = await readAnswer(response)
  const id = response.headers.get('mcp-session-id') ?? ''
  const version = revision >= '2025-06-18' ? { 'mcp-protocol-version': revision } : {}
  const send = (more: McpRequest) => sendMcp(url, { user, session: id, ...more, headers: { ...version, ...more.headers } })
  const post = (body: unknown, more: McpRequest = {}) => send({ body, ...more })
  if (id !== '') await post({ jsonrpc: '2.0', method: 'notifications/initialized' })
  return {
    id,
    user,
    opened,
    post,
    call: async (name, args) => textOf(await readAnswer(post(createToolCall(name, args)))),
    get: (more = {}) => send({ method: 'GET', accept: 'text/event-stream', ...more }),
    end: () => send({ method: 'DELETE' }),
  }
}

/** Sends a request of 2026-07-28 with all the headers and metadata that it needs. */
export function sendModern(
  origin: string,
  method: string,
  params: Record<string, unknown> = {},
  {
    capabilities = {},
    meta = {},
    id = ++lastId,
    ...more
  }: McpRequest & { capabilities?: object; meta?: object; id?: string | number } = {},
): Promise<Response> {
  const revision = '2026-07-28'
  const name = params.name ?? params.uri
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    ...meta,
  }
  const named =
    ['tools/call', 'prompts/get', 'resources/read'].includes(method) && typeof name === 'string' ? { 'mcp-name': name } : {}
  return sendMcp(`${origin}/mcp`, {
    ...more,
    headers: { 'mcp-protocol-version': revision, 'mcp-method': method, ...named, ...more.headers },
    body: createRequest(method, { ...params, _meta }, id),
  })
}

/** Calls a tool as a client of 2026-07-28. */
export function callModern(
  origin: string,
  name: string,
  args: Record<string, unknown> = {},
  more: Parameters<typeof sendModern>[3] = {},
): Promise<Response> {
  return sendModern(origin, 'tools/call', { name, arguments: args }, more)
}
