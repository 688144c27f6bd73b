// Programs with the two MCP libraries of Go.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../programs.ts'
import { openLibrary } from './one-call-a-line.ts'
import { describeWalk } from './walk.ts'

const requirements = readFileSync(join(import.meta.dirname, 'go/go.mod'), 'utf8')

for (const { client, program, module } of [
  { client: 'Go SDK', program: findProgram('goSdk'), module: 'github.com/modelcontextprotocol/go-sdk' },
  { client: 'mcp-go', program: findProgram('mcpGo'), module: 'github.com/mark3labs/mcp-go' },
] as const) {
  describeWalk({
    client,
    version: new RegExp(`${module} v(\\S+)`).exec(requirements)?.[1] ?? '',
    isThere: program !== undefined,
    open: async (environment) => openLibrary(environment, [program ?? '']),
  })
}
