// A program with the MCP client of the AI SDK.
import { join } from 'node:path'
import { findProgram } from '../programs.ts'
import { openLibrary } from './one-call-a-line.ts'
import packages from './packages.json' with { type: 'json' }
import { describeWalk } from './walk.ts'

const library = findProgram('aiSdk')

describeWalk({
  client: 'AI SDK',
  version: packages['@ai-sdk/mcp'],
  isThere: library !== undefined,
  open: async (environment) =>
    openLibrary(environment, [process.execPath, join(import.meta.dirname, 'ai_sdk_client.mjs'), library ?? '']),
})
