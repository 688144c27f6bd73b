import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { findProgram } from '../programs.ts'
import type { Environment } from './environment.ts'
import type { WalkedClient } from './walk.ts'

/** Undefined where it is not installed. */
export const mcpRemote = findProgram('mcpRemote')

/** It answers `initialize` when its user has signed in, and a call after a step-up: both may take a while on a busy machine. */
const PATIENCE = { timeout: 90_000 }

/** Starts it, and the TypeScript SDK as the client before it. */
export async function openMcpRemote({ stage, env, folder, onClose }: Environment): Promise<WalkedClient> {
  const client = new Client({ name: 'walk', version: '1.0.0' })
  const parameters = [mcpRemote ?? '', stage.url]
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: parameters,
    env: { ...env },
    cwd: folder,
    stderr: 'pipe',
  })
  onClose(() => client.close())
  let errors = ''
  transport.stderr?.on('data', (chunk) => (errors += chunk))
  await client.connect(transport, PATIENCE).catch((cause: unknown) => {
    throw new Error(`mcp-remote did not connect. It wrote:\n${errors}`, { cause })
  })
  return {
    listTools: async () => (await client.listTools(undefined, PATIENCE)).tools.map(({ name }) => name),
    callTool: (name, parameters) =>
      client.callTool({ name, arguments: parameters }, undefined, PATIENCE).then(
        ({ content }) => ({ succeeded: true, text: JSON.stringify(content) }),
        (error: unknown) => ({ succeeded: false, text: String(error) }),
      ),
  }
}
