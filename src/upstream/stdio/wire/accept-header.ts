import type { Call } from '../../../core/call.ts'

/** The value of a request header. */
export function findHeader(call: Call, name: string): string | undefined {
  for (let i = 0; i < call.headers.length; i += 2) if (call.headers[i] === name) return call.headers[i + 1]
  return undefined
}

/** The forms of an answer that the client accepts. A client that names neither gets JSON, which all clients read. */
export function findAcceptedForms(call: Call): 'json' | 'stream' | 'both' {
  const types = (findHeader(call, 'accept') ?? '').split(',').map((part) => part.split(';')[0]?.trim().toLowerCase() ?? '')
  const any = types.includes('*/*')
  const stream = any || types.includes('text/event-stream') || types.includes('text/*')
  const json = any || types.includes('application/json') || types.includes('application/*')
  if (stream) return json ? 'both' : 'stream'
  return 'json'
}
