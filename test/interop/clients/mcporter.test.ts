// mcporter: one process for each command, tokens in a file.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../programs.ts'
import type { Environment } from './environment.ts'
import packages from './packages.json' with { type: 'json' }
import { run } from './run.ts'
import { describeWalk, type WalkedClient } from './walk.ts'

const program = findProgram('mcporter')

async function open(environment: Environment): Promise<WalkedClient> {
  const config = join(environment.folder, 'mcporter.json')
  const example = { url: environment.stage.url, auth: 'oauth' }
  writeFileSync(config, JSON.stringify({ mcpServers: { example }, imports: [] }))
  const mcporter = (...parameters: string[]) =>
    run(environment, [process.execPath, program ?? '', '--config', config, ...parameters])
  const signedIn = await mcporter('auth', 'example')
  if (signedIn.exitCode !== 0) throw new Error(signedIn.output)
  return {
    async listTools() {
      const { output } = await mcporter('list', 'example', '--json')
      return JSON.parse(output).tools.map(({ name }: { name: string }) => name)
    },
    async callTool(tool, parameters) {
      const words = Object.entries(parameters).map(([name, value]) => `${name}=${value}`)
      const { exitCode, output } = await mcporter('call', `example.${tool}`, ...words)
      return { succeeded: exitCode === 0, text: output }
    },
  }
}

describeWalk({ client: 'mcporter', version: packages.mcporter, isThere: program !== undefined, open })
