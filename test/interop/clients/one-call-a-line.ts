// Clients that are libraries: a small program around each reads `list` and `call TOOL JSON`, and answers each with a line of JSON.
import { createInterface } from 'node:readline'
import type { Environment } from './environment.ts'
import { start, within } from './run.ts'
import type { WalkedClient } from './walk.ts'

interface Line {
  readonly tools?: readonly string[]
  readonly text?: string
  readonly error?: string
}

export function openLibrary(environment: Environment, command: readonly string[]): WalkedClient {
  const child = start(environment, [...command, environment.stage.url])
  let errors = ''
  child.stderr.on('data', (chunk) => (errors += chunk))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const ask = async (question: string): Promise<Line> => {
    child.stdin.write(`${question}\n`)
    const { value, done } = await within(`an answer to ${question}`, () => errors, child, lines.next())
    if (done) throw new Error(`${command[0]} ended:\n${errors}`)
    return JSON.parse(value) as Line
  }
  return {
    async listTools() {
      const { tools, error } = await ask('list')
      if (tools === undefined) throw new Error(`${error}\n${errors}`)
      return tools
    },
    async callTool(tool, parameters) {
      const { text, error } = await ask(`call ${tool} ${JSON.stringify(parameters)}`)
      return { succeeded: text !== undefined, text: text ?? error ?? '' }
    },
  }
}
