// A model for clients that call tools only when one asks them to. It calls the tool that the user names, with the parameters that
// the user gives, and says what came.
import { createServer } from 'node:http'
import { closeServer, listenOnLoopback } from '../../../src/sandbox/listen.ts'
import type { Environment } from './environment.ts'

/** What a turn knows, whatever the API. */
interface Turn {
  /** Names of the tools that the client offers. */
  readonly tools: readonly string[]
  /** What the user said last. */
  readonly prompt: string
  /** The result of the call before, if this turn follows one. */
  readonly result: string | undefined
}

export interface Reply {
  readonly call?: { readonly name: string; readonly parameters: unknown }
  readonly text?: string
}

interface Api {
  // biome-ignore lint/suspicious/noExplicitAny: what comes is the API of a vendor
  read(body: any): Turn
  /** Events of one answer. */
  format(reply: Reply): readonly string[]
}

/** The prompt that has the model call a tool. One word for the parameters: some clients put quotation marks around others. */
export function formatPrompt(tool: string, parameters: unknown): string {
  return `CALL ${tool} ${Buffer.from(JSON.stringify(parameters)).toString('base64url')}`
}

/** @returns origin of the model */
export async function startModel(api: Api, { onClose }: Environment): Promise<string> {
  const server = createServer(async (request, response) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString() || '{}')
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(
      api
        .format(decide(api.read(body)))
        .map((event) => `data: ${event}\r\n\r\n`)
        .join(''),
    )
  })
  const port = await listenOnLoopback(server, 0)
  onClose(() => closeServer(server))
  return `http://127.0.0.1:${port}`
}

function decide({ tools, prompt, result }: Turn): Reply {
  if (result !== undefined) return { text: `It says: ${result}` }
  const [, wanted, parameters = ''] = /CALL (\w+) ([\w-]+)/.exec(prompt) ?? []
  const name = wanted === undefined ? undefined : tools.find((tool) => tool.endsWith(`_${wanted}`))
  if (name === undefined) return { text: `No such tool among: ${tools.join(' ')}` }
  return { call: { name, parameters: JSON.parse(Buffer.from(parameters, 'base64url').toString()) } }
}
