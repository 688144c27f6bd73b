// opencode: its command line signs in; its server calls tools when a model asks for them.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../programs.ts'
import type { Environment } from './environment.ts'
import { formatPrompt, type Reply, startModel } from './model.ts'
import packages from './packages.json' with { type: 'json' }
import { run, start, within } from './run.ts'
import { describeWalk, type WalkedClient } from './walk.ts'

const program = findProgram('opencode')

/** OpenAI's chat completions. */
const COMPLETIONS = {
  // biome-ignore lint/suspicious/noExplicitAny: what comes is the API of a vendor
  read({ messages = [], tools = [] }: any) {
    const last = messages.at(-1) ?? {}
    return {
      // biome-ignore lint/suspicious/noExplicitAny: as above
      tools: tools.map((tool: any) => tool.function.name),
      prompt:
        typeof last.content === 'string' ? last.content : (last.content ?? []).map(({ text }: { text: string }) => text).join(''),
      result: last.role === 'tool' ? JSON.stringify(last.content) : undefined,
    }
  },
  format({ text, call }: Reply) {
    const chunk = (delta: unknown, reason: string | null) =>
      JSON.stringify({
        id: '1',
        object: 'chat.completion.chunk',
        model: 'model',
        choices: [{ index: 0, delta, finish_reason: reason }],
      })
    const calls = call && [
      { index: 0, id: 'call-1', type: 'function', function: { name: call.name, arguments: JSON.stringify(call.parameters) } },
    ]
    const delta = { role: 'assistant', content: text, tool_calls: calls }
    return [chunk(delta, null), chunk({}, call === undefined ? 'stop' : 'tool_calls'), '[DONE]']
  },
}

const ENV = { OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1' }

async function open(environment: Environment): Promise<WalkedClient> {
  const model = await startModel(COMPLETIONS, environment)
  writeFileSync(join(environment.folder, 'opencode.json'), JSON.stringify(createConfig(environment.stage.url, model)))
  const signedIn = await run(environment, [program ?? '', 'mcp', 'auth', 'example'], { env: ENV })
  if (!signedIn.output.includes('Authentication successful')) throw new Error(signedIn.output)
  const origin = await startServer(environment)
  const { id } = await ask(`${origin}/session`, {})
  const messages = `${origin}/session/${id}/message`
  const say = (text: string) => ask(messages, { parts: [{ type: 'text', text }] })
  return {
    // The model is shown the tools, and says which there are when it is asked for another.
    listTools: async () => JSON.stringify(await say(formatPrompt('no_such_tool', {}))).match(/(?<=\bexample_)\w+/g) ?? [],
    async callTool(tool, parameters) {
      await say(formatPrompt(tool, parameters))
      const { state } = (await ask(messages)).flatMap(({ parts }: Message) => parts).findLast(({ type }: Part) => type === 'tool')
      return { succeeded: state.status === 'completed', text: JSON.stringify(state) }
    },
  }
}

interface Message {
  readonly parts: readonly Part[]
}

interface Part {
  readonly type: string
}

/** What its user interfaces talk to. */
async function startServer(environment: Environment): Promise<string> {
  const child = start(environment, [program ?? '', 'serve', '--port', '0'], ENV)
  let output = ''
  const listening = new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk
        const [, origin] = /listening on (http:\S+)/.exec(output) ?? []
        if (origin !== undefined) resolve(origin)
      })
    }
  })
  return within('opencode to listen', () => output, child, listening)
}

// biome-ignore lint/suspicious/noExplicitAny: what comes is opencode's own API
async function ask(url: string, body?: unknown): Promise<any> {
  const posted = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(url, body === undefined ? {} : posted)
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return response.json()
}

function createConfig(url: string, origin: string) {
  const options = { baseURL: `${origin}/v1`, apiKey: 'none' }
  return {
    mcp: { example: { type: 'remote', url } },
    provider: { test: { npm: '@ai-sdk/openai-compatible', options, models: { model: { name: 'model', tool_call: true } } } },
    model: 'test/model',
    small_model: 'test/model',
    permission: 'allow',
    share: 'disabled',
    snapshot: false,
    autoupdate: false,
  }
}

describeWalk({ client: 'opencode', version: packages['opencode-ai'], isThere: program !== undefined, open })
